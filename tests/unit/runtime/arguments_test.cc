#include "services/lib/runtime/arguments.h"

#include <gtest/gtest.h>

namespace spanway::runtime {
namespace {

using Action = Arguments::Action;
using Words = std::vector<std::string>;

Program test_program() {
  return {.name = "spanway-test",
          .summary = "Tests.",
          .describe_config = nullptr,
          .create = nullptr,
          .commands = {{"topics apply", "create topics", nullptr}, {"topics", "list", nullptr}}};
}

class ArgumentsTest : public testing::Test {
 protected:
  std::string error_of(const Words& words) {
    const auto arguments = parse_arguments(program_, words);
    return arguments.ok() ? "" : arguments.error().message;
  }
  const Program program_ = test_program();
};

TEST_F(ArgumentsTest, RunsWithoutAny) {
  const auto arguments = parse_arguments(program_, {});
  ASSERT_TRUE(arguments.ok());
  EXPECT_EQ(arguments->action, Action::kRun);
  EXPECT_EQ(arguments->command, nullptr);
  EXPECT_EQ(arguments->config_file, "");
}

TEST_F(ArgumentsTest, TakesConfigInBothForms) {
  EXPECT_EQ(parse_arguments(program_, {"--config", "a.yaml"})->config_file, "a.yaml");
  EXPECT_EQ(parse_arguments(program_, {"--config=a.yaml"})->config_file, "a.yaml");
  EXPECT_EQ(error_of({"--config"}), "--config needs a value: text");
}

TEST_F(ArgumentsTest, AnEmptyArgumentIsAMistakeOrAValue) {
  for (const Words& words : {Words{"--config", ""}, Words{"--config="}})
    EXPECT_EQ(error_of(words), "--config is empty: name a file, or leave it out for the defaults");
  EXPECT_EQ(error_of({""}),
            "unknown argument ''; a command is 'topics apply'; a command is 'topics'; see --help");
  const auto arguments = parse_arguments(program_, {"topics", "--from", ""});
  ASSERT_TRUE(arguments.ok());
  EXPECT_EQ(arguments->command_arguments, (Words{"--from", ""}));
}

TEST_F(ArgumentsTest, HelpBehindACommandIsTheCommands) {
  Program program = test_program();
  program.commands[0].usage = [] { return std::string("usage of apply"); };
  const auto help_of = [&](const Words& words) {
    const auto arguments = parse_arguments(program, words);
    EXPECT_EQ(arguments->action, Action::kHelp);
    return help_text(program, arguments->command);
  };
  EXPECT_EQ(help_of({"topics", "apply", "--help"}), "usage of apply");
  EXPECT_EQ(help_of({"topics", "--help"}), help_text(program));
  EXPECT_EQ(help_of({"--help"}), help_text(program));
}

TEST_F(ArgumentsTest, KnowsEveryAction) {
  const std::vector<std::pair<std::string, Action>> all{
      {"--help", Action::kHelp},
      {"--version", Action::kVersion},
      {"--check-config", Action::kCheckConfig},
      {"--print-config", Action::kPrintConfig},
      {"--print-schema", Action::kPrintSchema},
      {"--print-config-doc", Action::kPrintConfigDoc},
      {"--print-metrics", Action::kPrintMetrics},
      {"--toggle-debug", Action::kToggleDebug}};
  const std::string help = help_text(program_);
  for (const auto& [flag, action] : all) {
    const auto arguments = parse_arguments(program_, {flag, "--config", "f"});
    ASSERT_TRUE(arguments.ok()) << flag;
    EXPECT_EQ(arguments->action, action) << flag;
    EXPECT_NE(help.find(flag), std::string::npos) << flag;
  }
  EXPECT_NE(help.find("topics apply"), std::string::npos);
  EXPECT_NE(error_of({"--help", "--version"}).find("cannot be combined"), std::string::npos);
}

TEST_F(ArgumentsTest, RefusesUnknownWordsAndNamesTheNearest) {
  EXPECT_EQ(error_of({"--cofnig", "x"}),
            "unknown argument '--cofnig' (did you mean '--config'?); see --help");
  EXPECT_EQ(error_of({"topic"}),
            "unknown argument 'topic'; a command is 'topics apply'; a command is 'topics'; see "
            "--help");
}

TEST_F(ArgumentsTest, CommandsKeepTheirArguments) {
  const auto apply =
      parse_arguments(program_, {"topics", "apply", "--config", "f", "--dry-run", "x"});
  ASSERT_TRUE(apply.ok());
  ASSERT_NE(apply->command, nullptr);
  EXPECT_EQ(apply->command->words, "topics apply");
  EXPECT_EQ(apply->config_file, "f");
  EXPECT_EQ(apply->command_arguments, (Words{"--dry-run", "x"}));
  const auto list = parse_arguments(program_, {"--config", "f", "topics", "x"});
  ASSERT_TRUE(list.ok());
  EXPECT_EQ(list->command->words, "topics");
  EXPECT_EQ(list->command_arguments, (Words{"x"}));
}

}  // namespace
}  // namespace spanway::runtime
