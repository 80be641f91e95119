#include "services/lib/config/secret_reloader.h"

#include <algorithm>
#include <utility>

#include "services/lib/base/ascii.h"
#include "services/lib/config/substitute.h"

namespace spanway::config {
namespace {

constexpr Duration kInterval = std::chrono::seconds(5);

Error unusable(const std::string& key, const std::string& problem) {
  return configuration_error(Code::kFailedPrecondition, key + ": " + problem)
      .with_reason("bad_configuration");
}

const ReadFile& file_system() {
  static const ReadFile read = Sources::of_process().read_file;
  return read;
}

Result<Substituted> resolve(const std::string& text, const std::string& key, const ReadFile& read) {
  std::string problem;
  Sources files;
  files.read_file = [&](const std::string& path) {
    std::optional<std::string> content = read(path);
    if (!content) {
      problem = "the file '" + path +
                "' cannot be read or is larger than 1 MiB; check the path and its permissions";
    } else if (trim(*content, " \t\r\n").empty()) {
      // Seen while another program writes the file, too.
      problem = "the file '" + path + "' is empty; write the secret into it";
    }
    return content;
  };
  Result<Substituted> found = substitute(text, files);
  if (problem.empty() && !found.ok()) problem = found.error().message;
  if (!problem.empty()) return unusable(key, problem);
  return found;
}

}  // namespace

Result<std::string> read_again(const Secret& secret, const std::string& key, const ReadFile& read) {
  SPANWAY_ASSIGN(Substituted found, resolve(secret.file(), key, read));
  return std::move(found.text);
}

Result<std::string> read_again(const Secret& secret, const std::string& key) {
  return read_again(secret, key, file_system());
}

Result<std::map<std::string, Secret>> secrets_of(const std::string& key,
                                                 const std::map<std::string, std::string>& texts) {
  std::map<std::string, Secret> secrets;
  for (const auto& [name, text] : texts) {
    SPANWAY_ASSIGN(Substituted found, resolve(text, key + "." + name, file_system()));
    secrets.emplace(name, Secret(std::move(found.text), std::move(found.source)));
  }
  return secrets;
}

SecretReloader::SecretReloader(Values values, Checks checks, const Clock& clock)
    : checks_(std::move(checks)),
      clock_(clock),
      first_(std::make_shared<const Values>(std::move(values))),
      has_files_(std::any_of(first_->begin(), first_->end(),
                             [](const auto& entry) { return !entry.second.file().empty(); })),
      due_(clock.now() + kInterval),
      current_(first_) {}

std::shared_ptr<const SecretReloader::Values> SecretReloader::current() const {
  MutexLock lock(mutex_);
  return current_;
}

std::shared_ptr<const SecretReloader::Values> SecretReloader::values() const {
  if (!has_files_) return first_;
  const auto is_due = [this] { return clock_.now() >= due_.load(std::memory_order_relaxed); };
  if (is_due() && !reading_.exchange(true, std::memory_order_acquire)) {
    // Not when another thread has just ended.
    if (is_due()) {
      read_all_again();
      due_.store(clock_.now() + kInterval, std::memory_order_relaxed);
    }
    reading_.store(false, std::memory_order_release);
  }
  return current();
}

Result<std::string> SecretReloader::read_checked(const std::string& name,
                                                 const Secret& secret) const {
  const std::string key = checks_.section + name;
  SPANWAY_ASSIGN(Substituted found, resolve(secret.file(), key, file_system()));
  if (const std::string problem = header_value_problem(found.text, checks_.use); !problem.empty())
    return unusable(key, "with the content of '" + found.paths.front() + "' it " + problem);
  return std::move(found.text);
}

void SecretReloader::read_all_again() const {
  Values fresh = *current();
  bool changed = false;
  for (auto& [name, secret] : fresh) {
    if (secret.file().empty()) continue;
    Result<std::string> text = read_checked(name, secret);
    if (!text.ok()) {
      const std::string& problem = text.error().message;
      if (std::exchange(reported_[name], problem) != problem && checks_.report)
        checks_.report(checks_.section + name, text.error());
      continue;
    }
    if (reported_.erase(name) != 0 && checks_.report)
      checks_.report(checks_.section + name, ok_status());
    if (*text == secret.reveal()) continue;
    secret = Secret(std::move(text).value(), secret.file());
    changed = true;
  }
  if (!changed) return;
  auto published = std::make_shared<const Values>(std::move(fresh));
  MutexLock lock(mutex_);
  current_ = std::move(published);
}

}  // namespace spanway::config
