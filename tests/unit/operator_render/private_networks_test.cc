#include "operator/render/private_networks.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace spanway::render {
namespace {

TEST(ClassifyEndpoint, PublicOnesAreLetThrough) {
  for (const char* endpoint :
       {"otlp.example.com:4317", "https://otlp.example.com", "https://otlp.example.com:443/v1?a=b",
        "8.8.8.8:4317", "http://1.1.1.1/", "172.32.0.1:1", "172.15.255.255:1", "100.128.0.1:1",
        "[2606:4700:4700::1111]:4317", "https://[2a00::1]/x", "OTLP.EXAMPLE.COM.:4317",
        "http://user@example.com/@10.0.0.1", "a.svc.example.com:1"}) {
    const Classification classified = classify_endpoint(endpoint);
    EXPECT_EQ(classified.reach, Reach::kPublic) << endpoint << ": " << classified.why;
    EXPECT_EQ(classified.why, "") << endpoint;
  }
}

// Every form that some resolver takes for 169.254.169.254 or [fd00:ec2::254].
TEST(ClassifyEndpoint, TheMetadataAddressIsFoundInEveryDisguise) {
  for (const char* endpoint : {"169.254.169.254:80",
                               "http://169.254.169.254/latest/meta-data",
                               "http://169.254.169.254.:80",
                               "2852039166:80",
                               "http://2852039166/",
                               "0xa9fea9fe:80",
                               "0XA9FEA9FE:80",
                               "0xa9.0xfe.0xa9.0xfe:80",
                               "0251.0376.0251.0376:80",
                               "025177524776:80",
                               "169.254.43518:80",
                               "169.16689662:80",
                               "169.0376.0xa9.254:80",
                               "0000251.254.169.254:80",
                               "[::ffff:169.254.169.254]:80",
                               "[::ffff:a9fe:a9fe]:80",
                               "[0:0:0:0:0:ffff:a9fe:a9fe]:80",
                               "[::169.254.169.254]:80",
                               "[64:ff9b::a9fe:a9fe]:80",
                               "[64:ff9b::169.254.169.254]:80",
                               "[2002:a9fe:a9fe::]:80",
                               "[fd00:ec2::254]:80",
                               "[FD00:0EC2:0:0:0:0:0:254]:80",
                               "http://user:x@169.254.169.254/",
                               "http://example.com@169.254.169.254/",
                               "http://169.254.169.254#@example.com/",
                               "http://169.254.169.254\\@example.com/"})
    EXPECT_EQ(classify_endpoint(endpoint).reach, Reach::kLocal) << endpoint;
}

TEST(ClassifyEndpoint, TheNodeAndThePodAreNoDestination) {
  for (const char* endpoint :
       {"localhost:1", "LOCALHOST.:1", "a.localhost:1", "127.0.0.1:1", "127.1:1", "0:1",
        "0.0.0.0:1", "[::1]:1", "[::]:1", "[::7f00:1]:1", "[fe80::1]:1", "[fe80::1%eth0]:1",
        "[fe80::1%25eth0]:1", "[ff02::1]:1", "224.0.0.1:1", "255.255.255.255:1"})
    EXPECT_EQ(classify_endpoint(endpoint).reach, Reach::kLocal) << endpoint;
}

TEST(ClassifyEndpoint, InnerNetworksAndNamesArePrivate) {
  for (const char* endpoint :
       {"10.0.0.1:1", "10.1:1", "0xa.1:1", "172.16.0.1:1", "172.31.255.255:1", "192.168.0.1:1",
        "100.64.0.1:1", "198.18.0.1:1", "[fc00::1]:1", "[fdff::1]:1", "[fec0::1]:1", "tempo:4317",
        "http://tempo", "tempo.observability.svc:4317",
        "tempo.observability.svc.cluster.local:4317", "metadata.google.internal:80",
        "printer.local:1", "nas.home.arpa:1"})
    EXPECT_EQ(classify_endpoint(endpoint).reach, Reach::kPrivate) << endpoint;
}

TEST(ClassifyEndpoint, AHostThatCannotBeClassifiedIsUnclear) {
  for (const char* endpoint :
       {"", ":80", "http://", "http:///x", "[]:80", "[::1::", "${env:X}:80", "$$:1",
        "ex\nample.com:1", "１６９.254.169.254:80", "%31%36%39.254.169.254:80", "1.2.3.4.5:1",
        "256.1.1.1:1", "4294967296:1", "0x:1", "09.0.0.1:1", "1.2.3.0xg:1", "[1::2::3]:1",
        "::1:80:x"})
    EXPECT_EQ(classify_endpoint(endpoint).reach, Reach::kUnclear) << endpoint;
}

TEST(ClassifyEndpoint, SaysWhy) {
  EXPECT_EQ(classify_endpoint("http://2852039166/").why, "2852039166 is a link-local address");
  EXPECT_EQ(classify_endpoint("[fd00:ec2::254]:80").why,
            "fd00:ec2::254 is where a cloud serves credentials");
  EXPECT_EQ(classify_endpoint("tempo:4317").why, "tempo is a name inside of the cluster");
  EXPECT_EQ(classify_endpoint("1.2.3.4.5:1").why, "'1.2.3.4.5' is no proper address");
}

TEST(PrivateNetworks, AreValidInANetworkPolicy) {
  const kube::Json v4 = private_networks(Family::kV4);
  EXPECT_NE(std::find(v4.begin(), v4.end(), "169.254.0.0/16"), v4.end());
  EXPECT_NE(std::find(v4.begin(), v4.end(), "172.16.0.0/12"), v4.end());
  const kube::Json v6 = private_networks(Family::kV6);
  EXPECT_NE(std::find(v6.begin(), v6.end(), "fc00::/7"), v6.end());
  // The API server takes no IPv4 addresses inside of IPv6.
  for (const kube::Json& network : v6)
    EXPECT_EQ(network.get<std::string>().find("ffff"), std::string::npos) << network;
}

}  // namespace
}  // namespace spanway::render
