#include "operator/k8s/access.h"

#include <gtest/gtest.h>

#include "operator/k8s/kubeconfig.h"
#include "tests/fakes/manual_clock.h"

namespace spanway::kube {
namespace {

using std::chrono::seconds;

constexpr char kFile[] = R"(apiVersion: v1
kind: Config
current-context: one
preferences: {}
contexts:
- name: one
  context: {cluster: c1, user: u1, namespace: here}
- name: two
  context: {cluster: c2, user: u2}
- name: anonymous
  context: {cluster: c1, user: ""}
- name: lost
  context: {cluster: nowhere, user: u1}
- name: stranger
  context: {cluster: c1, user: missing}
clusters:
- name: c1
  cluster:
    server: https://one:6443/
    certificate-authority-data: Y2EtcGVt
    certificate-authority: ignored.crt
    tls-server-name: api.one
- name: c2
  cluster:
    server: https://two
    certificate-authority: ca/ca.crt
users:
- name: u1
  user:
    client-certificate-data: Y2VydA==
    client-key-data: a2V5
- name: u2
  user:
    token: ignored
    tokenFile: /abs/token
    client-certificate: me.crt
    client-key: me.key
)";

class AccessTest : public testing::Test {
 protected:
  AccessTest() {
    sources_.read_file = [this](const std::string& path) -> std::optional<std::string> {
      ++reads_;
      const auto found = files_.find(path);
      if (found == files_.end()) return std::nullopt;
      return found->second;
    };
    files_["/etc/kube/config"] = kFile;
  }
  Result<std::unique_ptr<Access>> open(const std::string& context = "") {
    return Access::find("/etc/kube/config", context, sources_, clock_);
  }
  // The error of a file with one cluster and one user.
  std::string refusal(const std::string& cluster, const std::string& user) {
    const auto result = read_kubeconfig(
        "current-context: x\ncontexts: [{name: x, context: {cluster: c, user: u}}]\n"
        "clusters: [{name: c, cluster: {" +
            cluster + "}}]\nusers: [{name: u, user: {" + user + "}}]\n",
        "/f", "");
    if (result.ok()) return "";
    EXPECT_EQ(result.error().refusal, Refusal::kConfiguration);
    EXPECT_NE(result.error().message.find("/f"), std::string::npos);
    return result.error().message;
  }

  fakes::ManualClock clock_;
  std::map<std::string, std::string> files_;
  int reads_ = 0;
  config::Sources sources_;
};

TEST_F(AccessTest, ReadsTheCurrentContext) {
  const auto access = open();
  ASSERT_TRUE(access.ok()) << access.error().message;
  EXPECT_EQ((*access)->cluster().server, "https://one:6443");
  EXPECT_EQ((*access)->cluster().name_space, "here");
  EXPECT_EQ((*access)->cluster().tls_server_name, "api.one");
  EXPECT_FALSE((*access)->cluster().insecure_skip_tls_verify);
  const Credentials credentials = (*access)->current();
  EXPECT_EQ(credentials.ca_pem, "ca-pem") << "data wins over the file";
  EXPECT_EQ(credentials.certificate_pem, "cert");
  EXPECT_EQ(credentials.key_pem.reveal(), "key");
  EXPECT_TRUE(credentials.token.empty());
}

TEST_F(AccessTest, PathsAreThoseOfTheFilesFolder) {
  files_["/etc/kube/ca/ca.crt"] = "CA";
  files_["/etc/kube/me.crt"] = "ME";
  files_["/etc/kube/me.key"] = "KEY";
  files_["/abs/token"] = "secret-token\n";
  const auto access = open("two");
  ASSERT_TRUE(access.ok()) << access.error().message;
  const Credentials credentials = (*access)->current();
  EXPECT_EQ(credentials.ca_pem, "CA");
  EXPECT_EQ(credentials.certificate_pem, "ME");
  EXPECT_EQ(credentials.key_pem.reveal(), "KEY");
  EXPECT_EQ(credentials.token.reveal(), "secret-token") << "the file wins over the token";
  EXPECT_EQ((*access)->cluster().name_space, "default");
}

TEST_F(AccessTest, MissingEntriesAreNamed) {
  const auto message = [&](const std::string& context) { return open(context).error().message; };
  EXPECT_NE(message("three").find("it has no context 'three'"), std::string::npos);
  EXPECT_NE(message("lost").find("there is no cluster 'nowhere'"), std::string::npos);
  EXPECT_NE(message("stranger").find("there is no user 'missing'"), std::string::npos);
  EXPECT_NE(message("two").find("'/abs/token' cannot be read"), std::string::npos);
  EXPECT_TRUE(open("anonymous").ok());
  const auto none = Access::find("/nowhere", "", sources_, clock_);
  EXPECT_NE(none.error().message.find("'/nowhere' cannot be read"), std::string::npos);
}

TEST_F(AccessTest, RefusesUnsupportedCredentialsByName) {
  const std::string good = "server: 'https://x'";
  EXPECT_EQ(refusal(good, "token: t"), "");
  EXPECT_EQ(refusal(good, "exec: null"), "");
  for (const char* user : {"exec: {command: aws}", "auth-provider: {name: gcp}", "as: root",
                           "as-groups: [a]", "username: u", "password: hunter2"}) {
    const std::string message = refusal(good, user);
    EXPECT_NE(message.find(std::string(user).substr(0, std::string(user).find(':'))),
              std::string::npos)
        << message;
    EXPECT_EQ(message.find("hunter2"), std::string::npos);
  }
  EXPECT_NE(refusal(good + ", proxy-url: 'http://p'", "token: t").find("proxy-url"),
            std::string::npos);
  EXPECT_NE(refusal("server: ''", "token: t").find("has no server"), std::string::npos);
  EXPECT_NE(refusal(good + ", certificate-authority-data: '!!'", "token: t").find("not base64"),
            std::string::npos);
  EXPECT_NE(refusal(good + ", insecure-skip-tls-verify: maybe", "token: t").find("true or false"),
            std::string::npos);
  EXPECT_NE(refusal(good + ", insecure-skip-tls-verify: true, certificate-authority: x", "token: t")
                .find("contradict"),
            std::string::npos);
  EXPECT_NE(refusal("server: [", "").find("line"), std::string::npos);
  EXPECT_FALSE(read_kubeconfig("", "/f", "").ok());
  EXPECT_FALSE(read_kubeconfig("a: b", "/f", "").ok());
  EXPECT_FALSE(read_kubeconfig("[]", "/f", "x").ok());
}

TEST_F(AccessTest, AYamlErrorNeverShowsTheText) {
  const auto result = read_kubeconfig("token: &x hunter2\nother: *x\ntoken: hunter2\n", "/f", "");
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().message.find("hunter2"), std::string::npos);
}

TEST_F(AccessTest, TheKubeconfigOfTheEnvironment) {
  sources_.environment["KUBECONFIG"] = "/etc/kube/config";
  sources_.environment["KUBERNETES_SERVICE_HOST"] = "10.0.0.1";
  const auto access = Access::find("", "", sources_, clock_);
  ASSERT_TRUE(access.ok()) << access.error().message;
  EXPECT_EQ((*access)->cluster().server, "https://one:6443");
  sources_.environment["KUBECONFIG"] = "/a:/b";
  EXPECT_NE(Access::find("", "", sources_, clock_).error().message.find("several files"),
            std::string::npos);
}

class InClusterTest : public AccessTest {
 protected:
  InClusterTest() {
    sources_.environment["KUBERNETES_SERVICE_HOST"] = "10.0.0.1";
    sources_.environment["KUBERNETES_SERVICE_PORT"] = "443";
    files_[folder_ + "token"] = "first\n";
    files_[folder_ + "ca.crt"] = "CA";
    files_[folder_ + "namespace"] = "spanway\n";
  }
  std::unique_ptr<Access> open_pod() {
    auto access = Access::find("", "", sources_, clock_);
    EXPECT_TRUE(access.ok());
    return std::move(access).value();
  }
  const std::string folder_ = "/var/run/secrets/kubernetes.io/serviceaccount/";
};

TEST_F(InClusterTest, IsFoundByTheEnvironment) {
  const auto access = open_pod();
  EXPECT_EQ(access->cluster().server, "https://10.0.0.1:443");
  EXPECT_EQ(access->cluster().name_space, "spanway");
  EXPECT_EQ(access->current().token.reveal(), "first");
  EXPECT_EQ(access->current().ca_pem, "CA");
  sources_.environment["KUBERNETES_SERVICE_HOST"] = "fd00::1";
  EXPECT_EQ(open_pod()->cluster().server, "https://[fd00::1]:443");
}

TEST_F(InClusterTest, OutsideOfAPodTheErrorSaysWhatToDo) {
  sources_.environment.clear();
  const auto access = Access::find("", "", sources_, clock_);
  ASSERT_FALSE(access.ok());
  EXPECT_NE(access.error().message.find("--kubeconfig"), std::string::npos);
}

TEST_F(InClusterTest, FilesAreReadEveryMinute) {
  const auto access = open_pod();
  files_[folder_ + "token"] = "second";
  files_[folder_ + "ca.crt"] = "CA2";
  reads_ = 0;
  clock_.advance(seconds(60) - Duration(1));
  EXPECT_EQ(access->current().token.reveal(), "first");
  EXPECT_EQ(reads_, 0);
  clock_.advance(Duration(1));
  EXPECT_EQ(access->current().token.reveal(), "second");
  EXPECT_EQ(access->current().ca_pem, "CA2");
}

TEST_F(InClusterTest, AMissingOrBrokenFileKeepsThePreviousContent) {
  const auto access = open_pod();
  for (const char* broken : {"", "\n", "two words", "a\r\nX-Injected: 1"}) {
    files_[folder_ + "token"] = broken;
    clock_.advance(seconds(60));
    EXPECT_EQ(access->current().token.reveal(), "first") << broken;
  }
  files_.erase(folder_ + "token");
  clock_.advance(seconds(60));
  EXPECT_EQ(access->current().token.reveal(), "first");
  EXPECT_FALSE(Access::find("", "", sources_, clock_).ok()) << "at the start it is an error";
}

TEST_F(InClusterTest, ARefusedTokenIsReadAgainAtOnce) {
  const auto access = open_pod();
  const Secret first = access->current().token;
  EXPECT_FALSE(access->renew(first)) << "still the same";
  files_[folder_ + "token"] = "second";
  EXPECT_TRUE(access->renew(first));
  EXPECT_EQ(access->current().token.reveal(), "second");
  reads_ = 0;
  EXPECT_TRUE(access->renew(first)) << "another thread has renewed it already";
  EXPECT_EQ(reads_, 0);
}

TEST_F(AccessTest, NoTokenGoesOverAnOpenLine) {
  CredentialSources with_token;
  with_token.token = Secret("t");
  const auto create = [&](const std::string& server, const CredentialSources& credentials) {
    return Access::create({.server = server,
                           .name_space = {},
                           .tls_server_name = {},
                           .insecure_skip_tls_verify = false},
                          credentials, sources_, clock_)
        .ok();
  };
  EXPECT_FALSE(create("http://api.example.com", with_token));
  EXPECT_FALSE(create("http://localhost.example.com", with_token));
  EXPECT_FALSE(create("http://127.0.0.1.example.com", with_token));
  EXPECT_TRUE(create("http://127.0.0.1:8001", with_token));
  EXPECT_TRUE(create("http://localhost", with_token));
  EXPECT_TRUE(create("http://[::1]:8001/", with_token));
  EXPECT_TRUE(create("http://api.example.com", {}));
  EXPECT_FALSE(create("api.example.com", with_token));
  CredentialSources half;
  half.certificate_pem = "c";
  EXPECT_FALSE(create("https://x", half));
}

}  // namespace
}  // namespace spanway::kube
