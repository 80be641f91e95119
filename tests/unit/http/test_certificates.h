// A CA for tests, and certificates of it as PEM files in a folder that goes away.
#pragma once

#include <memory>
#include <string>

struct evp_pkey_st;
struct x509_st;

namespace spanway::http {

// A folder under the system's temporary one, removed with everything in it.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  // Writes a file and returns its path.
  std::string write(const std::string& name, const std::string& content) const;
  const std::string& path() const noexcept { return path_; }

 private:
  std::string path_;
};

struct PemPair {
  std::string certificate;
  std::string key;
};

// Single-thread.
class TestCa {
 public:
  explicit TestCa(const std::string& name);
  ~TestCa();
  TestCa(const TestCa&) = delete;
  TestCa& operator=(const TestCa&) = delete;

  std::string certificate() const;
  // `names` as in subjectAltName, for example "DNS:localhost,IP:127.0.0.1"; may be empty.
  PemPair issue(const std::string& common_name, const std::string& names,
                long valid_seconds = 3600) const;

 private:
  struct Deleter {
    void operator()(evp_pkey_st* key) const noexcept;
    void operator()(x509_st* certificate) const noexcept;
  };
  std::unique_ptr<evp_pkey_st, Deleter> key_;
  std::unique_ptr<x509_st, Deleter> certificate_;
};

}  // namespace spanway::http
