# Third-party libraries, each under one name. All are included as SYSTEM. A library may be linked
# only by the module that owns it (SpanwayTargets.cmake keeps the list).
find_package(Threads REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(ZLIB REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(prometheus-cpp CONFIG REQUIRED)
find_package(Boost REQUIRED COMPONENTS system)
find_package(Protobuf REQUIRED)
find_package(gRPC CONFIG REQUIRED)
pkg_check_modules(NGHTTP2 REQUIRED IMPORTED_TARGET libnghttp2)
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)
pkg_check_modules(LZ4 REQUIRED IMPORTED_TARGET liblz4)
pkg_check_modules(RE2 REQUIRED IMPORTED_TARGET re2)
pkg_check_modules(LIBPQ REQUIRED IMPORTED_TARGET libpq)
find_package(simdjson REQUIRED)
find_package(Snappy CONFIG REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(cpprestsdk REQUIRED)
find_package(pugixml REQUIRED)

# librdkafka is built from source into the user's cache: the version in Debian 12 is too old.
if(NOT SPANWAY_LIBRDKAFKA_PREFIX)
  set(_sanitizer none)
  if(SPANWAY_SANITIZE)
    set(_sanitizer "${SPANWAY_SANITIZE}")
  endif()
  execute_process(
    COMMAND "${CMAKE_SOURCE_DIR}/ci/deps/librdkafka.sh" "${_sanitizer}"
    OUTPUT_VARIABLE SPANWAY_LIBRDKAFKA_PREFIX OUTPUT_STRIP_TRAILING_WHITESPACE
    COMMAND_ERROR_IS_FATAL ANY)
endif()
add_library(spanway_librdkafka INTERFACE)
target_include_directories(spanway_librdkafka SYSTEM INTERFACE "${SPANWAY_LIBRDKAFKA_PREFIX}/include")
target_link_libraries(spanway_librdkafka INTERFACE
  "${SPANWAY_LIBRDKAFKA_PREFIX}/lib/librdkafka.a"
  OpenSSL::SSL OpenSSL::Crypto ZLIB::ZLIB PkgConfig::ZSTD PkgConfig::LZ4 Threads::Threads m dl rt)

# Arrow and Parquet come as shared libraries. They are linked into the build folder, beside bin, where
# programs find them, and what they load at run time, by a path relative to their own.
set(CMAKE_BUILD_RPATH "$ORIGIN/../lib")
if(NOT SPANWAY_ARROW_PREFIX)
  execute_process(
    COMMAND "${CMAKE_SOURCE_DIR}/ci/deps/arrow.sh"
    OUTPUT_VARIABLE SPANWAY_ARROW_PREFIX OUTPUT_STRIP_TRAILING_WHITESPACE
    COMMAND_ERROR_IS_FATAL ANY)
endif()
set(SPANWAY_ARROW_SOVERSION 2600)
file(MAKE_DIRECTORY "${CMAKE_BINARY_DIR}/lib")
foreach(_name arrow parquet)
  set(_file "lib${_name}.so.${SPANWAY_ARROW_SOVERSION}")
  file(CREATE_LINK "${SPANWAY_ARROW_PREFIX}/lib/${_file}" "${CMAKE_BINARY_DIR}/lib/${_file}" SYMBOLIC)
  add_library(spanway_${_name} SHARED IMPORTED)
  set_target_properties(spanway_${_name} PROPERTIES
    IMPORTED_LOCATION "${CMAKE_BINARY_DIR}/lib/${_file}"
    IMPORTED_SONAME "${_file}")
  target_include_directories(spanway_${_name} SYSTEM INTERFACE "${SPANWAY_ARROW_PREFIX}/include")
endforeach()
target_link_libraries(spanway_parquet INTERFACE spanway_arrow)

if(SPANWAY_BUILD_TESTS)
  find_package(GTest REQUIRED)
endif()
