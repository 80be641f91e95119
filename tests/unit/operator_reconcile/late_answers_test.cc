// Answers of the API server that come after the watch events of later changes, and watch events
// that come long after the answers: the operator converges without waiting for a resync.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "operator/manager/fenced_client.h"
#include "services/lib/base/random.h"
#include "tests/unit/operator_reconcile/controller_fixture.h"

namespace spanway::reconcile {
namespace {

using testing::IsEmpty;

// Passes everything on; `before_answer` runs after a write is committed and before its answer is
// given.
class LateAnswers final : public kube::Client {
 public:
  explicit LateAnswers(kube::Client& behind) : behind_(behind) {}
  std::function<void(const kube::ResourceType& type)> before_answer;

  Result<Json> get(const kube::ResourceType& type, const kube::ObjectKey& key) override {
    return behind_.get(type, key);
  }
  Result<kube::ListResult> list(const kube::ResourceType& type,
                                const kube::ListOptions& options) override {
    return behind_.list(type, options);
  }
  Status watch(const kube::ResourceType& type, const kube::WatchOptions& options,
               const std::stop_token& stop,
               const std::function<bool(kube::WatchEvent)>& on_event) override {
    return behind_.watch(type, options, stop, on_event);
  }
  Result<Json> apply(const kube::ResourceType& type, const Json& object,
                     const kube::ApplyOptions& options, std::string_view subresource) override {
    return late(type, behind_.apply(type, object, options, subresource));
  }
  Result<Json> create(const kube::ResourceType& type, const Json& object) override {
    return late(type, behind_.create(type, object));
  }
  Result<Json> replace(const kube::ResourceType& type, const Json& object,
                       std::string_view subresource) override {
    return late(type, behind_.replace(type, object, subresource));
  }
  Result<Json> merge_patch(const kube::ResourceType& type, const kube::ObjectKey& key,
                           const Json& patch, std::string_view subresource) override {
    return late(type, behind_.merge_patch(type, key, patch, subresource));
  }
  Status remove(const kube::ResourceType& type, const kube::ObjectKey& key,
                const std::string& uid) override {
    return late(type, behind_.remove(type, key, uid));
  }
  Result<bool> serves(const kube::ResourceType& type) override { return behind_.serves(type); }

 private:
  template <typename Answer>
  Answer late(const kube::ResourceType& type, Answer answer) {
    if (before_answer) before_answer(type);
    return answer;
  }
  kube::Client& behind_;
};

class LateAnswersTest : public testing::Test {
 protected:
  void SetUp() override {
    fixture_.client = &late_;
    fixture_.restart();
    fixture_.install();
  }
  void set_image(const std::string& tag) { fixture_.change({{"image", {{"tag", tag}}}}); }
  std::string image_of_ingress() const {
    return kube::string_at(fixture_.kube.at(kube::kDeployments, {"team", "p-ingress"}),
                           "spec/template/spec/containers/0/image");
  }
  // The writes of a new operator: none when the old one has converged.
  std::vector<std::string> left_to_write() {
    fixture_.restart();
    fixture_.kube.forget_writes();
    fixture_.settle();
    return fixture_.kube.writes();
  }

  ControllerFixture fixture_;
  LateAnswers late_{fixture_.kube};
};

TEST_F(LateAnswersTest, TheSecondOfTwoEditsIsInForceThoughTheAnswerToTheFirstIsLate) {
  int edits = 0;
  late_.before_answer = [&](const kube::ResourceType& type) {
    if (!(type == kube::kPipelines) || ++edits != 1) return;
    set_image("second");
    fixture_.sync();
  };
  set_image("first");
  fixture_.pass(std::chrono::seconds(20), std::chrono::seconds(1));
  ASSERT_GE(edits, 1);
  // The first component of a rollout.
  EXPECT_THAT(kube::to_text(fixture_.kube.at(kube::kDeployments, {"team", "p-tempo-canary"})),
              testing::HasSubstr(":second"));
}

TEST_F(LateAnswersTest, AForeignEditBeforeTheAnswerToOursIsPutBack) {
  bool is_edited = false;
  late_.before_answer = [&](const kube::ResourceType& type) {
    if (!(type == kube::kServices) || is_edited) return;
    is_edited = true;
    fixture_.kube.edit(
        kube::kServices, {"team", "p-ingress"},
        {{"metadata",
          {{"labels", {{"spanway.dev/pipeline", "p"}, {"app.kubernetes.io/component", "evil"}}}}}},
        "kubectl-edit");
    fixture_.sync();
  };
  fixture_.change({{"ingress", {{"service", {{"labels", {{"a", "b"}}}}}}}});
  fixture_.pass(std::chrono::seconds(5), std::chrono::seconds(1));
  ASSERT_TRUE(is_edited);
  EXPECT_NE(kube::string_at(fixture_.kube.at(kube::kServices, {"team", "p-ingress"}),
                            "metadata/labels/app.kubernetes.io~1component"),
            "evil");
}

TEST_F(LateAnswersTest, ConvergesWhateverTheOrderOfAnswersAndEvents) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    fixture_.is_watch_late = [&](const kube::ResourceType&) { return random.next_below(3) == 0; };
    int tag = 0;
    late_.before_answer = [&](const kube::ResourceType&) {
      switch (random.next_below(6)) {
        case 0:
          set_image("t" + std::to_string(seed) + "-" + std::to_string(++tag % 3));
          break;
        case 1:
          fixture_.kube.edit(kube::kServices, {"team", "p-ingress"},
                             {{"spec", {{"ports", nullptr}}}}, "kubectl-edit");
          break;
        case 2:
          fixture_.kube.erase(kube::kPodDisruptionBudgets, {"team", "p-ingress"});
          break;
        case 3:
          fixture_.sync();
          break;
        default:
          break;
      }
    };
    set_image("s" + std::to_string(seed));
    // The foreign edits end, the delays do not.
    for (int i = 0; i < 3; ++i) fixture_.settle_once();
    const auto delays = std::exchange(late_.before_answer, [&](const kube::ResourceType&) {
      if (random.next_below(2) == 0) fixture_.sync();
    });
    for (int i = 0; i < 10; ++i) fixture_.settle_once();
    fixture_.is_watch_late = nullptr;
    fixture_.pass(std::chrono::minutes(3));
    late_.before_answer = nullptr;
    EXPECT_THAT(left_to_write(), IsEmpty());
  }
}

}  // namespace
}  // namespace spanway::reconcile
