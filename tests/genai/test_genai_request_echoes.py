"""Which results a request hands back, which calls its history holds, and how they are known again."""

from typing import Any, ClassVar

import pytest
from asked_cases import anchors, chat, chat_call, chat_result, chat_said, gemini, messages, responses, user

from tracer_proxy import limits
from tracer_proxy.genai.asked import Asked, Echo

QUESTION = [{"role": "system", "content": "Help."}, user("Is it wet in Oslo, \u6708?")]


def ids(echoes: tuple[Echo, ...]) -> list[str]:
    return [echo.call_id for echo in echoes]


class TestChat:
    def test_results_at_the_end_carry_the_turn_on(self) -> None:
        said = chat_said(chat_call("call_0"), chat_call("call_1", "time", "{}"), text="Let me see.")
        found = chat([*QUESTION, said, chat_result("call_1"), chat_result("call_0")])
        first, second = anchors(QUESTION, "Let me see.", ("weather", '{"city":"Oslo"}'), ("time", ""))
        assert found.results == (Echo("call_1", "time", second), Echo("call_0", "weather", first))
        assert found.history == ()

    def test_what_the_model_was_asked_is_what_its_answer_is_known_by(self) -> None:
        asked = chat(QUESTION)
        [anchor] = anchors(QUESTION, "", ("weather", '{"city":"Oslo"}'))
        assert asked.prefix
        answer = chat_said(chat_call("call_0"))
        [echo] = chat([*QUESTION, answer, chat_result("call_0")]).results
        assert echo.anchor == anchor

    @pytest.mark.parametrize(
        ("before", "call", "text"),
        [
            ([user("Another question")], chat_call("call_0"), ""),
            (QUESTION, chat_call("call_0", arguments='{"city":"Rome"}'), ""),
            (QUESTION, chat_call("call_0", tool="time"), ""),
            (QUESTION, chat_call("call_0"), "Hm."),
        ],
    )
    def test_the_same_id_in_another_conversation_is_another_call(self, before: list[Any], call: Any, text: str) -> None:
        [here] = chat([*QUESTION, chat_said(chat_call("call_0")), chat_result("call_0")]).results
        [there] = chat([*before, chat_said(call, text=text), chat_result("call_0")]).results
        assert here.call_id == there.call_id
        assert here.anchor != there.anchor

    def test_spaces_and_order_in_arguments_make_no_other_call(self) -> None:
        calls = [chat_call("c", arguments=given) for given in ('{"a":1,"b":2}', '{ "b" : 2, "a" : 1 }')]
        one, other = [chat([*QUESTION, chat_said(call), chat_result("c")]).results[0].anchor for call in calls]
        assert one == other

    def test_what_the_user_says_after_results_begins_a_turn_of_its_own(self) -> None:
        found = chat([*QUESTION, chat_said(chat_call("call_0")), chat_result("call_0"), user("And now?")])
        assert found.results == ()
        assert ids(found.history) == ["call_0"]
        assert found.history[0].tool == "weather"
        assert [found.history[0].anchor] == anchors(QUESTION, "", ("weather", '{"city":"Oslo"}'))

    @pytest.mark.parametrize("role", ["system", "developer"])
    def test_a_system_message_after_results_ends_no_turn(self, role: str) -> None:
        found = chat([*QUESTION, chat_said(chat_call("c")), chat_result("c"), {"role": role, "content": "Be brief."}])
        assert ids(found.results) == ["c"]

    def test_history_goes_back_from_the_newest(self) -> None:
        given: list[Any] = []
        for turn in range(6):
            given += [user(f"{turn}"), chat_said(chat_call(f"a{turn}"), chat_call(f"b{turn}"))]
            given += [chat_result(f"a{turn}"), chat_result(f"b{turn}")]
        in_turn = chat(given)
        assert ids(in_turn.results) == ["a5", "b5"]
        assert ids(in_turn.history) == ["b4", "a4", "b3", "a3", "b2", "a2", "b1", "a1"]
        assert len(in_turn.history) == limits.HISTORY_MAX
        new_turn = chat([*given, {"role": "assistant", "content": "Done."}, user("Thanks")])
        assert ids(new_turn.history) == ["b5", "a5", "b4", "a4", "b3", "a3", "b2", "a2"]
        assert all(echo.anchor for echo in new_turn.history)

    def test_an_answer_without_calls_leaves_results_without_an_anchor(self) -> None:
        given = [*QUESTION, chat_said(chat_call("old")), chat_result("old"), {"role": "assistant", "content": "ok"}]
        found = chat([*given, chat_result("stray")])
        assert found.results == (Echo("stray", "", b""),)
        assert ids(found.history) == ["old"]

    def test_calls_that_share_an_id_are_told_apart_by_their_order(self) -> None:
        said = chat_said(chat_call("weather"), chat_call("weather", arguments='{"city":"Rome"}'))
        found = chat([*QUESTION, said, chat_result("weather"), chat_result("weather")])
        assert [echo.anchor for echo in found.results] == anchors(
            QUESTION, "", ("weather", '{"city":"Oslo"}'), ("weather", '{"city":"Rome"}')
        )

    def test_functions_of_old_have_no_ids(self) -> None:
        said = {"role": "assistant", "content": None, "function_call": {"name": "weather", "arguments": "{}"}}
        found = chat([*QUESTION, said, {"role": "function", "name": "weather", "content": "rain"}])
        [anchor] = anchors(QUESTION, "", ("weather", "{}"))
        assert found.results == (Echo("", "weather", anchor),)

    def test_custom_tools_take_any_text(self) -> None:
        call = {"id": "c", "type": "custom", "custom": {"name": "shell", "input": "ls -l"}}
        [echo] = chat([*QUESTION, chat_said(call), chat_result("c")]).results
        assert [echo.anchor] == anchors(QUESTION, "", ("shell", "ls -l"))

    def test_text_in_parts_is_the_same_text(self) -> None:
        parts: Any = [{"type": "text", "text": "Let me "}, {"type": "text", "text": "see."}]
        said = {**chat_said(chat_call("c")), "content": parts}
        [echo] = chat([*QUESTION, said, chat_result("c")]).results
        assert [echo.anchor] == anchors(QUESTION, "Let me see.", ("weather", '{"city":"Oslo"}'))

    def test_without_tools_nothing_is_digested(self) -> None:
        assert chat(QUESTION, tools=None).prefix == b""
        assert chat(QUESTION, tools=[]).prefix == b""
        assert chat(QUESTION, tools=None, functions=[{"name": "f"}]).prefix == chat(QUESTION).prefix != b""

    def test_a_result_keeps_its_anchor_when_the_last_call_is_made_without_tools(self) -> None:
        given = [*QUESTION, chat_said(chat_call("c")), chat_result("c")]
        assert chat(given, tools=None).results == chat(given).results

    def test_results_of_many_parallel_calls_are_found(self) -> None:
        calls = [chat_call(f"c{each}") for each in range(100)]
        found = chat([*QUESTION, chat_said(*calls), *[chat_result(f"c{each}") for each in range(100)]])
        assert ids(found.results) == [f"c{each}" for each in range(100)]
        assert len({echo.anchor for echo in found.results}) == 100

    def test_how_many_results_are_read_has_a_bound(self) -> None:
        found = chat([*QUESTION, *[chat_result(f"c{each}") for each in range(5000)]])
        assert len(found.results) <= limits.ECHOES_MAX

    def test_how_far_back_is_looked_has_a_bound(self) -> None:
        called = [*QUESTION, chat_said(chat_call("c")), chat_result("c")]
        talk = [{"role": "assistant", "content": "Yes"}, user("Sure?")]
        far = limits.HISTORY_MESSAGES_MAX
        assert ids(chat(called + talk * 5).history) == ["c"]
        assert chat(called + talk * far).history == ()
        many = chat([*called[:-1], *[chat_result("c")] * limits.TAIL_MESSAGES_MAX])
        assert not any(echo.anchor for echo in many.results)

    def test_an_id_beyond_all_reason_counts_as_none(self) -> None:
        call_id = "x" * (limits.IDENTIFIER_CHARS_MAX + 1)
        [echo] = chat([*QUESTION, chat_said(chat_call(call_id)), chat_result(call_id)]).results
        assert echo.call_id == ""

    @pytest.mark.parametrize(
        "tail", [[], [chat_said(chat_call("c"))], [{"role": "assistant", "content": "Once"}], [7, "text", None, [], {}]]
    )
    def test_no_results_no_turn(self, tail: list[Any]) -> None:
        assert chat([*QUESTION, *tail]).results == ()


class TestResponses:
    CALL: ClassVar[dict[str, Any]] = {
        "type": "function_call",
        "id": "fc_1",
        "call_id": "call_a",
        "name": "weather",
        "arguments": '{"city":"Oslo"}',
    }
    OUTPUT: ClassVar[dict[str, Any]] = {"type": "function_call_output", "call_id": "call_a", "output": "rain"}

    def test_an_answer_of_several_items_is_one_message(self) -> None:
        said = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Let me see."}]}
        reasoning = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm"}]}
        second = {**self.CALL, "call_id": "call_b", "arguments": "{}"}
        found = responses([*QUESTION, reasoning, said, self.CALL, second, self.OUTPUT, {**self.OUTPUT, "call_id": "call_b"}])
        first_anchor, second_anchor = anchors(QUESTION, "Let me see.", ("weather", '{"city":"Oslo"}'), ("weather", "{}"))
        assert found.results == (Echo("call_a", "weather", first_anchor), Echo("call_b", "weather", second_anchor))

    def test_the_next_step_counts_all_before_it(self) -> None:
        before = [*QUESTION, self.CALL, self.OUTPUT]
        next_call = {**self.CALL, "call_id": "call_b"}
        found = responses([*before, next_call, {**self.OUTPUT, "call_id": "call_b"}])
        assert ids(found.results) == ["call_b"]
        assert [found.results[0].anchor] == anchors(before, "", ("weather", '{"city":"Oslo"}'))
        assert ids(found.history) == ["call_a"]

    def test_with_a_previous_response_the_call_is_not_in_the_body(self) -> None:
        found = responses([self.OUTPUT], previous_response_id="resp_1")
        assert found.previous_response_id == "resp_1"
        assert found.results == (Echo("call_a", "", b""),)

    @pytest.mark.parametrize(
        "kind", ["function_call_output", "custom_tool_call_output", "computer_call_output", "shell_call_output"]
    )
    def test_outputs_of_every_kind_are_results(self, kind: str) -> None:
        assert ids(responses([*QUESTION, {**self.OUTPUT, "type": kind}]).results) == ["call_a"]

    def test_custom_tools_take_any_text(self) -> None:
        call = {"type": "custom_tool_call", "call_id": "c", "name": "patch", "input": "*** Begin"}
        [echo] = responses([*QUESTION, call, {"type": "custom_tool_call_output", "call_id": "c", "output": "ok"}]).results
        assert [echo.anchor] == anchors(QUESTION, "", ("patch", "*** Begin"))

    def test_what_the_user_says_after_results_begins_a_turn_of_its_own(self) -> None:
        found = responses([*QUESTION, self.CALL, self.OUTPUT, user("And now?")])
        assert found.results == ()
        assert ids(found.history) == ["call_a"]

    def test_input_as_a_string_is_a_turn_of_its_own(self) -> None:
        found = responses("Is it wet?")
        assert found.results == ()
        assert len(found.prefix) == 16
        assert found.prefix != responses("Is it dry?").prefix

    @pytest.mark.parametrize(("given", "expected"), [("conv_1", "conv_1"), ({"id": "conv_1"}, "conv_1"), (None, ""), (7, "")])
    def test_a_conversation_is_named_by_its_id(self, given: Any, expected: str) -> None:
        assert responses("Hi", conversation=given).conversation_id == expected


class TestMessages:
    SAID: ClassVar[dict[str, Any]] = {
        "role": "assistant",
        "content": [
            {"type": "thinking", "thinking": "Hm", "signature": "s"},
            {"type": "text", "text": "Let me see."},
            {"type": "tool_use", "id": "toolu_a", "name": "weather", "input": {"city": "Oslo", "days": 1.0}},
            {"type": "tool_use", "id": "toolu_b", "name": "time", "input": {}},
        ],
    }
    CALLS = (("weather", '{"days": 1.0, "city": "Oslo"}'), ("time", ""))

    def results(self, *extra: dict[str, Any]) -> dict[str, Any]:
        blocks = [
            {"type": "tool_result", "tool_use_id": "toolu_a", "content": [{"type": "text", "text": "rain"}]},
            {"type": "tool_result", "tool_use_id": "toolu_b", "content": "late", "is_error": True},
        ]
        return {"role": "user", "content": [*blocks, *extra]}

    def test_results_carry_the_turn_on(self) -> None:
        found = messages([user("Is it wet?"), self.SAID, self.results()])
        first, second = anchors([user("Is it wet?")], "Let me see.", *self.CALLS)
        assert found.results == (Echo("toolu_a", "weather", first), Echo("toolu_b", "time", second, failed=True))

    def test_text_beside_results_is_of_the_same_turn(self) -> None:
        reminder = {"type": "text", "text": "<system-reminder>Be brief.</system-reminder>"}
        assert ids(messages([user("Is it wet?"), self.SAID, self.results(reminder)]).results) == ["toolu_a", "toolu_b"]

    def test_a_message_without_results_is_a_turn_of_its_own(self) -> None:
        found = messages([user("Is it wet?"), self.SAID, self.results(), user("And now?")])
        assert found.results == ()
        assert ids(found.history) == ["toolu_b", "toolu_a"]

    def test_a_system_message_after_results_ends_no_turn(self) -> None:
        found = messages([user("Is it wet?"), self.SAID, self.results(), {"role": "system", "content": "Be brief."}])
        assert ids(found.results) == ["toolu_a", "toolu_b"]

    @pytest.mark.parametrize("ttl", [{}, {"ttl": "1h"}])
    def test_marks_of_the_prompt_cache_change_nothing(self, ttl: dict[str, str]) -> None:
        """They move on with each request, and turn a string into a block."""
        mark = {"cache_control": {"type": "ephemeral", **ttl}}
        marked_question = {"role": "user", "content": [{"type": "text", "text": 'Is "it" wet?', **mark}]}
        asked = messages([marked_question])
        marked_results = {
            "role": "user",
            "content": [*self.results()["content"][:-1], {**self.results()["content"][-1], **mark}],
        }
        followed = messages([user('Is "it" wet?'), self.SAID, marked_results])
        assert [echo.anchor for echo in followed.results] == [
            echo.anchor for echo in messages([marked_question, self.SAID, marked_results]).results
        ]
        assert asked.prefix == messages([user('Is "it" wet?'), self.SAID][:1]).prefix
        unmarked = [user('Is "it" wet?'), self.SAID, self.results()]
        again = messages([*unmarked, self.SAID, marked_results])
        assert again.results[0].anchor == messages([*unmarked[:2], marked_results, self.SAID, marked_results]).results[0].anchor

    def test_text_that_speaks_of_such_marks_counts(self) -> None:
        mark = {"cache_control": {"type": "ephemeral"}}
        prefixes = {
            messages([{"role": "user", "content": [{"type": "text", "text": text, **mark}]}]).prefix
            for text in ('"cache_control": {}', '","cache_control":{"type":"ephemeral"}}]}', "")
        }
        assert len(prefixes) == 3


class TestGemini:
    def test_results_carry_the_turn_on(self) -> None:
        question = {"role": "user", "parts": [{"text": "Is it wet?"}]}
        said = {
            "role": "model",
            "parts": [
                {"text": "Hm", "thought": True},
                {"text": "Let me see."},
                {"functionCall": {"id": "a", "name": "weather", "args": {"city": "Oslo"}}, "thoughtSignature": "s"},
            ],
        }
        result = {"functionResponse": {"id": "a", "name": "weather", "response": {"result": "rain"}}}
        for role in ("user", "function"):
            found = gemini([question, said, {"role": role, "parts": [result]}])
            [anchor] = anchors([question], "Let me see.", ("weather", '{"city":"Oslo"}'))
            assert found.results == (Echo("a", "weather", anchor),)

    def test_without_ids_calls_are_matched_by_name_and_order(self) -> None:
        question = {"role": "user", "parts": [{"text": "Is it wet?"}]}
        calls: list[tuple[str, dict[str, str]]] = [("weather", {"city": "Oslo"}), ("time", {}), ("weather", {"city": "Rome"})]
        said = {"role": "model", "parts": [{"function_call": {"name": tool, "args": args}} for tool, args in calls]}
        answers: list[Any] = [{"function_response": {"name": tool, "response": {}}} for tool in ("weather", "weather", "time")]
        found = gemini([question, said, {"role": "user", "parts": answers}])
        oslo, time, rome = anchors(
            [question], "", ("weather", '{"city":"Oslo"}'), ("time", "{}"), ("weather", '{"city":"Rome"}')
        )
        assert [echo.anchor for echo in found.results] == [oslo, rome, time]

    def test_chunks_of_a_streamed_answer_are_one_message(self) -> None:
        question = {"role": "user", "parts": [{"text": "Is it wet?"}]}
        chunks = [
            {"role": "model", "parts": [{"text": "Let me "}]},
            {"role": "model", "parts": [{"text": "see."}, {"functionCall": {"name": "weather", "args": {}}}]},
        ]
        result = {"role": "user", "parts": [{"functionResponse": {"name": "weather", "response": {"error": "no such city"}}}]}
        found = gemini([question, *chunks, result])
        [anchor] = anchors([question], "Let me see.", ("weather", "{}"))
        assert found.results == (Echo("", "weather", anchor, failed=True),)

    def test_an_id_that_the_call_does_not_have_is_not_guessed_at(self) -> None:
        said = {"role": "model", "parts": [{"functionCall": {"name": "weather", "args": {}}}]}
        result = {"role": "user", "parts": [{"functionResponse": {"id": "made-up", "name": "weather", "response": {}}}]}
        assert gemini([said, result]).results == (Echo("made-up", "weather", b""),)


@pytest.mark.parametrize("read", [chat, responses, messages, gemini])
def test_a_conversation_of_the_wrong_type_is_none(read: Any) -> None:
    wrong: Any
    for wrong in ({}, 7, None, True, [[[]]], "x"):
        found: Asked = read(wrong, temperature=1)
        assert (found.results, found.history) == ((), ())
