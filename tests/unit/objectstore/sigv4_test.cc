#include "services/lib/objectstore/sigv4.h"

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <string>

namespace spanway::objectstore {
namespace {

// The examples of "Signature Calculations for the Authorization Header" in the S3 API reference.
const Credentials kExample = {
    .access_key_id = "AKIAIOSFODNN7EXAMPLE",
    .secret_access_key = Secret("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
    .session_token = {},
    .expires = {}};
constexpr SigningScope kScope = {
    .region = "us-east-1", .service = "s3", .host = "examplebucket.s3.amazonaws.com"};
const SystemTime kTime{std::chrono::seconds(1'369'353'600)};  // 2013-05-24T00:00:00Z

std::string signature(std::string_view method, std::string_view path, std::string_view query,
                      std::string_view body, http::Headers headers = {},
                      const Credentials& credentials = kExample) {
  sign(method, path, query, sha256(body), kScope, credentials, kTime, headers);
  const std::string text(headers.get("authorization"));
  return text.substr(text.find("Signature=") + 10);
}

TEST(SigV4, SignsAsTheReferenceDoes) {
  http::Headers range;
  range.add("range", "bytes=0-9");
  EXPECT_EQ(signature("GET", "/test.txt", "", "", std::move(range)),
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
  EXPECT_EQ(signature("GET", "/", encode_query({{"prefix", "J"}, {"max-keys", "2"}}), ""),
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
  http::Headers put;
  put.add("date", "Fri, 24 May 2013 00:00:00 GMT");
  put.add("x-amz-storage-class", "REDUCED_REDUNDANCY");
  EXPECT_EQ(
      signature("PUT", encode_key("/test$file.text"), "", "Welcome to Amazon S3.", std::move(put)),
      "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
}

TEST(SigV4, ASessionTokenIsSentAndSigned) {
  Credentials session = kExample;
  session.session_token = Secret("token");
  http::Headers headers;
  sign("GET", "/", "", sha256(""), kScope, session, kTime, headers);
  EXPECT_EQ(headers.get("x-amz-security-token"), "token");
  EXPECT_NE(headers.get("authorization").find("x-amz-security-token"), std::string_view::npos);
  EXPECT_EQ(headers.get("authorization").find(kExample.secret_access_key.reveal()),
            std::string_view::npos);
}

TEST(SigV4, EncodesKeysAndQueries) {
  EXPECT_EQ(encode_key("a/tenant=x y/\xc3\xa4~"), "a/tenant%3Dx%20y/%C3%A4~");
  EXPECT_EQ(encode_query({{"b", "x/y"}, {"a", ""}, {"a-b", "1"}}), "a-b=1&a=&b=x%2Fy");
}

// libparquet holds an OpenSSL of its own: ci/deps/hide_c_symbols.py keeps the two apart.
TEST(SigV4, TheProcessUsesTheSystemsOpenSsl) {
  Dl_info found = {};
  void* const symbol = dlsym(RTLD_DEFAULT, "EVP_Digest");
  ASSERT_NE(symbol, nullptr);
  ASSERT_NE(dladdr(symbol, &found), 0);
  EXPECT_NE(std::string(found.dli_fname).find("libcrypto"), std::string::npos) << found.dli_fname;
}

}  // namespace
}  // namespace spanway::objectstore
