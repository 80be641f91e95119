// The one place that starts threads.
#pragma once

#include <functional>
#include <string>
#include <thread>

namespace spanway {

// Starts a thread named `name` (at most 15 characters are shown by the kernel). The function gets a
// stop token; the destructor of the result asks it to stop and joins.
std::jthread start_thread(std::string name, std::function<void(std::stop_token)> function);

}  // namespace spanway
