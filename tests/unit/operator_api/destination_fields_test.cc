#include "operator/api/destination_fields.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "operator/api/declaration.h"
#include "services/lib/sinks/destination.h"

namespace spanway::api {
namespace {

TEST(DestinationFields, EachRowBelongsToOneTypeOfDestination) {
  for (const DestinationFields& row : destination_fields()) {
    SCOPED_TRACE(std::string(row.name));
    const auto types = sinks::destinations();
    EXPECT_EQ(std::count_if(types.begin(), types.end(),
                            [&row](const sinks::Descriptor& d) { return d.name == row.name; }),
              1);
  }
}

TEST(DestinationFields, EachKeyIsSetByAFieldOfTheResource) {
  const Json schema = json_schema();
  for (const DestinationFields& row : destination_fields()) {
    const Json* section = kube::find(
        schema, "properties/spec/properties/exporters/items/properties/destination/properties/" +
                    std::string(row.section) + "/properties");
    ASSERT_NE(section, nullptr) << row.section;
    for (const SectionKey& key : row.keys)
      EXPECT_TRUE(section->contains(std::string(key.field))) << row.section << "." << key.field;
  }
}

TEST(DestinationFields, TheValuesAreThoseOfTheTypeAndNoSecretsContent) {
  Destination d;
  d.type = Destination::Type::kS3;
  EXPECT_TRUE(section_values(d).empty());  // The section is needed.
  d.s3.emplace();
  d.s3->bucket = "b";
  d.s3->credentials = {.name = "aws", .key = "file"};
  d.loki.emplace();
  std::string keys;
  for (const auto& [key, value] : section_values(d)) {
    keys += key + " ";
    if (key != "credentials_file") continue;
    ASSERT_NE(value.secret, nullptr);
    EXPECT_EQ(value.secret->name, "aws");
    EXPECT_EQ(value.form, SecretForm::kPath);
    EXPECT_TRUE(value.json.is_null());
  }
  EXPECT_EQ(keys, "bucket region prefix path_style credentials credentials_file ");
  d.type = Destination::Type::kZipkin;
  EXPECT_TRUE(section_values(d).empty());
}

}  // namespace
}  // namespace spanway::api
