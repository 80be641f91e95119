#include "services/kafka-bridge/replay/replay_state.h"

#include <sstream>

namespace spanway::kafka_bridge {
namespace {

constexpr const char* kHeading = "spanway-replay 1";

// The value of a line "name value", which may have blanks in it.
std::string rest_of(const std::string& line, const std::string& name) {
  return line.size() > name.size() ? line.substr(name.size() + 1) : "";
}

bool read_line(const std::string& line, ReplayState& state) {
  std::istringstream fields(line);
  std::string name;
  fields >> name;
  ReplayCounts& counts = state.counts;
  if (name == "request") {
    state.request = rest_of(line, name);
  } else if (name == "saved_ms") {
    fields >> state.saved_ms;
  } else if (name == "counts") {
    fields >> counts.records >> counts.items >> counts.refused >> counts.others >> counts.empty >>
        counts.lost;
  } else if (name == "left") {
    std::int32_t partition = 0;
    kafka::OffsetRange range;
    fields >> partition >> range.begin >> range.end;
    state.left[partition] = range;
  } else if (name == "open") {
    OpenLetter& letter = state.open.emplace_back();
    fields >> letter.first >> letter.id;
  } else if (name == "refused") {
    fields >> state.refused.emplace_back();
  } else {
    return false;
  }
  return !fields.fail();
}

Status write_all(sinks::FileOps& files, int file, std::string_view text, const std::string& path) {
  while (!text.empty()) {
    std::size_t written = 0;
    if (const int error = files.write(file, text, written); error != 0)
      return sinks::file_error(error, "write", path);
    text.remove_prefix(written);
  }
  if (const int error = files.sync(file); error != 0) return sinks::file_error(error, "sync", path);
  return ok_status();
}

}  // namespace

std::string to_text(const ReplayState& state) {
  std::ostringstream out;
  const ReplayCounts& counts = state.counts;
  out << kHeading << "\nrequest " << state.request << "\nsaved_ms " << state.saved_ms << "\ncounts "
      << counts.records << ' ' << counts.items << ' ' << counts.refused << ' ' << counts.others
      << ' ' << counts.empty << ' ' << counts.lost << '\n';
  for (const auto& [partition, range] : state.left)
    out << "left " << partition << ' ' << range.begin << ' ' << range.end << '\n';
  for (const OpenLetter& letter : state.open)
    out << "open " << letter.first << ' ' << letter.id << '\n';
  for (const std::string& place : state.refused) out << "refused " << place << '\n';
  out << "end\n";
  return out.str();
}

Result<ReplayState> parse_replay_state(std::string_view text) {
  std::istringstream in{std::string(text)};
  std::string line;
  ReplayState state;
  if (!std::getline(in, line) || line != kHeading)
    return invalid_argument("this is not the state of a replay");
  while (std::getline(in, line)) {
    if (line == "end") return state;
    if (!read_line(line, state))
      return invalid_argument("the state of the replay is damaged at '" + line + "'");
  }
  return invalid_argument("the state of the replay has no end");
}

Status save_replay_state(sinks::FileOps& files, const std::string& path, const ReplayState& state) {
  const std::string next = path + ".new";
  static_cast<void>(files.remove(next));
  int file = -1;
  std::uint64_t size = 0;
  bool torn = false;
  if (const int error = files.open(next, file, size, torn); error != 0)
    return sinks::file_error(error, "open", next);
  const Status written = write_all(files, file, to_text(state), next);
  files.close(file);
  SPANWAY_TRY(written);
  if (const int error = files.rename(next, path); error != 0)
    return sinks::file_error(error, "rename to", path);
  if (const int error = files.sync_directory_of(path); error != 0)
    return sinks::file_error(error, "sync the folder of", path);
  return ok_status();
}

}  // namespace spanway::kafka_bridge
