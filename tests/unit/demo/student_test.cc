#include "services/demo/student/student.h"

#include <gtest/gtest.h>

namespace spanway::demo {
namespace {

TEST(StudentJson, IsReadWithEscapesAndOtherMembers) {
  const auto student = parse_student(
      R"({"class": {"year": [1, 2]}, "firstname": "Zo\u00eb", "lastname": "O\"Hara", "id": 7})");
  ASSERT_TRUE(student.ok()) << student.error().message;
  EXPECT_EQ(student->firstname, "Zo\xc3\xab");
  EXPECT_EQ(student->lastname, "O\"Hara");
  EXPECT_EQ(student->id, 7);
  const auto again = parse_student(to_json(*student));
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->lastname, student->lastname);
  EXPECT_EQ(again->id, 7);
}

TEST(StudentJson, SaysWhatIsWrong) {
  const auto problem = [](const std::string& text) {
    const auto student = parse_student(text);
    return student.ok() ? "" : student.error().message;
  };
  EXPECT_NE(problem("").find("the body is not {\"firstname\""), std::string::npos);
  EXPECT_NE(problem("[]").find("the body is not"), std::string::npos);
  EXPECT_NE(problem(R"({"firstname": 1, "lastname": "x"})").find("the body is not"),
            std::string::npos);
  EXPECT_NE(problem(R"({"firstname": "x"})").find("\"lastname\" is missing"), std::string::npos);
  EXPECT_NE(
      problem(R"({"firstname": "a\u0000b", "lastname": "x"})").find("\"firstname\" is no text"),
      std::string::npos);
  EXPECT_NE(
      problem("{\"firstname\": \"a\xff\", \"lastname\": \"x\"}").find("\"firstname\" is no text"),
      std::string::npos);
  EXPECT_NE(problem(R"({"lastname": "x", "firstname": ")" + std::string(201, 'a') + "\"}")
                .find("longer than 200 bytes"),
            std::string::npos);
  EXPECT_NE(problem(std::string(kStudentBytesMax + 1, ' ')).find("longer than"), std::string::npos);
}

TEST(StudentJson, ABillHasTheFees) {
  EXPECT_EQ(billing_json({.id = 3, .firstname = "Ada", .lastname = "Lovelace"}),
            R"({"id":3,"firstname":"Ada","lastname":"Lovelace","fees":1200})");
}

}  // namespace
}  // namespace spanway::demo
