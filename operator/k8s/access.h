// Where the API server is and how to prove who we are: from a kubeconfig or from inside a pod.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "services/lib/base/clock.h"
#include "services/lib/base/mutex.h"
#include "services/lib/base/result.h"
#include "services/lib/base/secret.h"
#include "services/lib/config/load.h"

namespace spanway::kube {

// Fixed while the process runs.
struct Cluster {
  std::string server;  // "https://10.96.0.1:443", with a path prefix at most; no slash at the end.
  std::string name_space;  // The context's or the pod's; "default" when unset.
  // The name that the certificate must have, when it is not the host of `server`.
  std::string tls_server_name;
  bool insecure_skip_tls_verify = false;
};

// Files are kept by name where their content may change while the process runs.
struct CredentialSources {
  Secret token;
  std::string token_file;
  std::string ca_pem;
  std::string ca_file;
  std::string certificate_pem;
  std::string certificate_file;
  Secret key_pem;
  std::string key_file;
};

// The credentials read last.
struct Credentials {
  Secret token;        // Empty = none.
  std::string ca_pem;  // Empty = the system's authorities.
  std::string certificate_pem;
  Secret key_pem;

  bool same_tls(const Credentials& other) const {
    return ca_pem == other.ca_pem && certificate_pem == other.certificate_pem &&
           key_pem == other.key_pem;
  }
};

// Thread-safe. Files are read again every 60 s, and at once after a 401; one that cannot be read
// keeps its previous content. `sources.read_file` and the clock outlive it.
class Access {
 public:
  static constexpr Duration kReadEvery = std::chrono::seconds(60);

  // Reads all files once; fails when one cannot be read.
  static Result<std::unique_ptr<Access>> create(Cluster cluster, CredentialSources credentials,
                                                config::Sources sources, const Clock& clock);
  // KUBERNETES_SERVICE_HOST and _PORT, and the files of the service account.
  static Result<std::unique_ptr<Access>> in_cluster(config::Sources sources, const Clock& clock);
  // The kubeconfig at `path`, else at $KUBECONFIG (one file), else in-cluster. `context` empty =
  // the file's current one.
  static Result<std::unique_ptr<Access>> find(const std::string& path, const std::string& context,
                                              config::Sources sources, const Clock& clock);

  const Cluster& cluster() const noexcept { return cluster_; }
  Credentials current();
  // After a 401 with `refused`: reads the token again; true when it has changed.
  bool renew(const Secret& refused);

 private:
  Access(Cluster cluster, CredentialSources credentials, config::Sources sources,
         const Clock& clock);
  Status read(Credentials& into) const;
  void read_again() SPANWAY_REQUIRES(mutex_);

  const Cluster cluster_;
  const CredentialSources from_;
  const config::Sources sources_;
  const Clock& clock_;
  Mutex mutex_;
  Credentials current_ SPANWAY_GUARDED_BY(mutex_);
  SteadyTime read_at_ SPANWAY_GUARDED_BY(mutex_);
};

}  // namespace spanway::kube
