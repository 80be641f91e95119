// RestClient against one scripted API server over HTTP/1.1.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <utility>

#include "operator/k8s/rest_client.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/scripted_api_server.h"

namespace spanway::kube {

// A client of one scripted server, with a token file that the test may change.
class RestClientTest : public testing::Test {
 protected:
  void serve(fakes::ScriptedApiServer::Handler handler) {
    server_ = std::make_unique<fakes::ScriptedApiServer>(std::move(handler));
    connect(server_->url());
  }
  void connect(const std::string& url,
               RestClientOptions options = {.request_timeout = std::chrono::seconds(20)}) {
    config::Sources sources;
    sources.read_file = [this](const std::string&) -> std::optional<std::string> {
      return token_.load() + "\n";
    };
    CredentialSources credentials;
    credentials.token_file = "/token";
    auto access = Access::create({.server = url,
                                  .name_space = "default",
                                  .tls_server_name = {},
                                  .insecure_skip_tls_verify = false},
                                 credentials, sources, clock_);
    ASSERT_TRUE(access.ok()) << access.error().message;
    access_ = std::move(*access);
    auto client = RestClient::create(*access_, clock_, {log_, metrics_}, options);
    ASSERT_TRUE(client.ok()) << client.error().message;
    client_ = std::move(*client);
  }
  double counted(const char* verb, const char* outcome) {
    return metrics_.value("spanway_kubernetes_requests_total",
                          {{"verb", verb}, {"outcome", outcome}});
  }

  std::atomic<const char*> token_holder_{"first"};
  struct {
    std::atomic<const char*>* holder;
    std::string load() const { return holder->load(); }
  } token_{&token_holder_};
  fakes::ManualClock clock_;
  telemetry::Logger log_ = telemetry::Logger::null();
  telemetry::Metrics metrics_;
  std::unique_ptr<fakes::ScriptedApiServer> server_;
  std::unique_ptr<Access> access_;
  std::unique_ptr<RestClient> client_;
};

}  // namespace spanway::kube
