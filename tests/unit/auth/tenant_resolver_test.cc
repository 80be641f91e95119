#include "services/lib/auth/tenant_resolver.h"

#include <gtest/gtest.h>

#include <string>

namespace spanway::auth {
namespace {

http::RequestHead with(std::string name, std::string value) {
  http::RequestHead head;
  head.headers.add(std::move(name), std::move(value));
  return head;
}

TenantConfig from(TenantSource source) {
  TenantConfig config;
  config.from = source;
  return config;
}

TEST(TenantResolver, TakesTheHeaderWhenItIsATenantsName) {
  const TenantResolver resolver(from(TenantSource::kHeader));
  EXPECT_EQ(resolver.resolve(with("x-scope-orgid", "acme"), {}).value(), "acme");
  EXPECT_EQ(resolver.resolve({}, {}).value(), "");
  for (const std::string& bad : {std::string("../etc"), std::string("%252e"), std::string(65, 'a'),
                                 std::string("a\0b", 3), std::string(), std::string("a|b")}) {
    const auto refused = resolver.resolve(with("x-scope-orgid", bad), {});
    ASSERT_FALSE(refused.ok()) << bad;
    EXPECT_EQ(refused.error().code, Code::kInvalidArgument);
  }
  http::RequestHead twice = with("x-scope-orgid", "acme");
  twice.headers.add("x-scope-orgid", "other");
  EXPECT_FALSE(resolver.resolve(twice, {}).ok());
}

TEST(TenantResolver, IgnoresHeadersUnlessConfiguredOtherwise) {
  EXPECT_EQ(
      TenantResolver(from(TenantSource::kNone)).resolve(with("x-scope-orgid", "acme"), {}).value(),
      "");
  EXPECT_EQ(TenantResolver(from(TenantSource::kToken))
                .resolve(with("x-scope-orgid", "acme"), {.tenant = "umbrella"})
                .value(),
            "umbrella");
}

TEST(TenantResolver, TakesTheCommonNameOfTheCertificate) {
  const TenantResolver resolver(from(TenantSource::kCertificate));
  http::RequestHead head;
  head.peer_certificate_cn = "tenant-a";
  EXPECT_EQ(resolver.resolve(head, {}).value(), "tenant-a");
  head.peer_certificate_cn = "CN with spaces";
  const auto refused = resolver.resolve(head, {});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::kPermissionDenied);
}

TEST(TenantResolver, FallsBackToTheDefaultAndInsistsWhenRequired) {
  TenantConfig config = from(TenantSource::kHeader);
  config.required = true;
  const auto missing = TenantResolver(config).resolve({}, {});
  ASSERT_FALSE(missing.ok());
  EXPECT_STREQ(missing.error().reason, "tenant_missing");
  config.default_tenant = "shared";
  EXPECT_EQ(TenantResolver(config).resolve({}, {}).value(), "shared");
  TenantConfig token = from(TenantSource::kToken);
  token.required = true;
  EXPECT_EQ(TenantResolver(token).resolve({}, {}).error().code, Code::kPermissionDenied);
}

}  // namespace
}  // namespace spanway::auth
