#include "services/lib/base/tenant_name.h"

#include <gtest/gtest.h>

#include <string>

namespace spanway {
namespace {

TEST(TenantName, IsLettersDigitsUnderscoreAndHyphen) {
  EXPECT_TRUE(is_tenant_name("acme-EU_1"));
  EXPECT_TRUE(is_tenant_name(std::string(64, 'a')));
  for (const std::string& bad :
       {std::string(), std::string(65, 'a'), std::string("../x"), std::string("a b"),
        std::string("a\0b", 3), std::string("%2e"), std::string("caf\xc3\xa9")})
    EXPECT_FALSE(is_tenant_name(bad)) << bad;
}

}  // namespace
}  // namespace spanway
