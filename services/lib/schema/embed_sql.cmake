# Writes OUTPUT: a C++ source with the text and the SHA-256 of each SQL file of FOLDER, by number.
file(GLOB files "${FOLDER}/*.sql")
list(SORT files)
set(entries "")
foreach(file IN LISTS files)
  get_filename_component(name "${file}" NAME)
  string(REGEX MATCH "^[0-9]+" version "${name}")
  if(version STREQUAL "")
    message(FATAL_ERROR "${file}: a schema file begins with its number")
  endif()
  string(REGEX REPLACE "^0+([0-9])" "\\1" version "${version}")
  file(READ "${file}" text)
  file(SHA256 "${file}" checksum)
  string(APPEND entries
    "    {${version}, \"${name}\", R\"spanway_sql(${text})spanway_sql\",\n     \"${checksum}\"},\n")
endforeach()
file(WRITE "${OUTPUT}" "// Generated from services/lib/schema/sql by embed_sql.cmake.
#include \"services/lib/schema/migrations.h\"

namespace spanway::schema {

std::span<const Migration> migrations() noexcept {
  static constexpr Migration kMigrations[] = {
${entries}  };
  return kMigrations;
}

}  // namespace spanway::schema
")
