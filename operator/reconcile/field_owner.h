// Finds the field manager that has set a field, from an object's managedFields.
#pragma once

#include <string>
#include <string_view>

#include "operator/json/json.h"

namespace spanway::reconcile {

// The manager other than `ours` that owns the field at `path` ("spec/template/spec/containers/0/
// image", as kube::contains names differences), or the nearest parent of it that another manager
// owns completely; "" when there is none (a removed field has no manager). `object` is raw: with
// managedFields. List indices are those of `intent`.
std::string other_manager(const kube::Json& object, const kube::Json& intent, std::string_view path,
                          std::string_view ours);

// True when `manager` has set the field by server-side apply.
bool applied_by(const kube::Json& object, std::string_view path, std::string_view manager);

}  // namespace spanway::reconcile
