// The way of one client to an API server that several share: tests cut it, hold it, count on it.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "operator/k8s/kube_client.h"

namespace spanway::fakes {

// `before` is called before each call of a verb ("get", "list", "watch", "apply", "create",
// "replace", "patch", "delete", "serves") on the calling thread; an error is the answer, and
// nothing is passed on. As thread-safe as what it is made of; set `before` before others use it.
class ClientLink final : public kube::Client {
 public:
  using Json = kube::Json;
  using Before = std::function<Status(std::string_view verb, const kube::ResourceType& type)>;

  ClientLink(kube::Client& behind, Before before) : behind_(behind), before_(std::move(before)) {}

  Result<Json> get(const kube::ResourceType& type, const kube::ObjectKey& key) override {
    SPANWAY_TRY(before_("get", type));
    return behind_.get(type, key);
  }
  Result<kube::ListResult> list(const kube::ResourceType& type,
                                const kube::ListOptions& options) override {
    SPANWAY_TRY(before_("list", type));
    return behind_.list(type, options);
  }
  Status watch(const kube::ResourceType& type, const kube::WatchOptions& options,
               const std::stop_token& stop,
               const std::function<bool(kube::WatchEvent)>& on_event) override {
    SPANWAY_TRY(before_("watch", type));
    return behind_.watch(type, options, stop, on_event);
  }
  Result<Json> apply(const kube::ResourceType& type, const Json& object,
                     const kube::ApplyOptions& options,
                     std::string_view subresource = {}) override {
    SPANWAY_TRY(before_("apply", type));
    return behind_.apply(type, object, options, subresource);
  }
  Result<Json> create(const kube::ResourceType& type, const Json& object) override {
    SPANWAY_TRY(before_("create", type));
    return behind_.create(type, object);
  }
  Result<Json> replace(const kube::ResourceType& type, const Json& object,
                       std::string_view subresource = {}) override {
    SPANWAY_TRY(before_("replace", type));
    return behind_.replace(type, object, subresource);
  }
  Result<Json> merge_patch(const kube::ResourceType& type, const kube::ObjectKey& key,
                           const Json& patch, std::string_view subresource = {}) override {
    SPANWAY_TRY(before_("patch", type));
    return behind_.merge_patch(type, key, patch, subresource);
  }
  Status remove(const kube::ResourceType& type, const kube::ObjectKey& key,
                const std::string& uid = {}) override {
    SPANWAY_TRY(before_("delete", type));
    return behind_.remove(type, key, uid);
  }
  Result<bool> serves(const kube::ResourceType& type) override {
    SPANWAY_TRY(before_("serves", type));
    return behind_.serves(type);
  }

 private:
  kube::Client& behind_;
  const Before before_;
};

}  // namespace spanway::fakes
