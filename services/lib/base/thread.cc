#include "services/lib/base/thread.h"

#include <pthread.h>

#include <utility>

namespace spanway {

std::jthread start_thread(std::string name, std::function<void(std::stop_token)> function) {
  name.resize(name.size() > 15 ? 15 : name.size());
  return std::jthread(
      [name = std::move(name), function = std::move(function)](std::stop_token stop) {
        pthread_setname_np(pthread_self(), name.c_str());
        function(std::move(stop));
      });
}

}  // namespace spanway
