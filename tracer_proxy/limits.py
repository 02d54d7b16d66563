"""Every bound of the proxy in one place; units stand last in each name.

With a bound on every buffer, queue and wait, the proxy goes on working when it is overloaded: new work is refused quickly,
old work goes on. What a route may set for itself is in ``config/schema.py`` with these as defaults.
"""

KiB = 1024
MiB = 1024 * KiB

# Heads. Precedents: nginx 32 KiB, HAProxy 16 KiB, Envoy 60 KiB; Envoy and nginx 100 headers.
HEAD_BYTES_MAX = 64 * KiB
HEAD_FIELDS_MAX = 200
TRAILER_BYTES_MAX = 16 * KiB
CHUNK_LINE_BYTES_MAX = 4 * KiB
"""A chunk-size line with its extensions (which are dropped)."""
CHUNK_DIGITS_MAX = 15
"""Hex digits of a chunk size: 2**60 bytes is beyond any body, and never overflows."""
LENGTH_DIGITS_MAX = 18
LINES_REMEMBERED_MAX = 2048
"""Head lines a reader remembers, so that it need not read them again."""
REMEMBERED_LINE_BYTES_MAX = 256
PLANS_PER_CONNECTION_MAX = 4
"""Different heads of one client connection whose routing is remembered while they come again."""
PLANNED_HEAD_BYTES_MAX = 4 * KiB
NEW_HEADS_IN_A_ROW_MAX = 8
"""A connection whose heads never come again is not looked at for it any more."""
INTERIM_RESPONSES_MAX = 16
"""1xx answers to one request; more than that is an upstream that talks for ever."""

# Bodies and back-pressure, per direction of one exchange. uvloop reads at most 256 KiB at a time.
WRITE_BUFFER_HIGH_BYTES = 128 * KiB
WRITE_BUFFER_LOW_BYTES = 32 * KiB
PIPELINED_BYTES_MAX = 64 * KiB
"""What a client may send ahead while its exchange is under way; then reading stops."""
REQUEST_BODY_BYTES_MAX = 64 * MiB
"""Default of a route's ``limits.request_body``."""
REPLAY_BYTES_MAX = 64 * KiB
"""A request body up to this size is kept until the answer begins, so that it can be sent again."""
HELD_BODIES_BYTES_MAX = 64 * MiB
"""Of request bodies that a worker keeps in all; over it, bodies are not kept for another attempt."""
PIPELINED_PIECE_BYTES = 32 * KiB
"""What came ahead is cut into pieces, so that taking a request off it does not copy all of the rest each time."""
DISCARD_BYTES_MAX = 8 * MiB
"""What is read and thrown away after an early answer, so that the client gets to see it."""

SHOWN_PATH_BYTES_MAX = 200
"""Of a caller's path in an error message."""

SHOWN_VALUE_CHARS_MAX = 100
"""Of a value that ``explain`` shows."""

# Connections.
LISTEN_BACKLOG = 1024
CLIENT_CONNECTIONS_MAX = 20_000
EXCHANGES_MAX = 10_000
"""Under way in one worker; over it, a new request is refused at once."""
IDLE_CONNECTIONS_PER_ENDPOINT_MAX = 256
POOL_CONNECTIONS_MAX = 10_000
POOL_PENDING_MAX = 10_000
POOL_REQUESTS_MAX = 10_000
FAILOVER_POOLS_MAX = 8

# Retries.
RETRY_ATTEMPTS = 2
RETRY_ATTEMPTS_MAX = 10
RETRY_BACKOFF_S = 0.05
RETRY_BACKOFF_MAX_S = 2.0
RETRY_BUDGET_PERCENT = 20.0
"""Precedents: linkerd and Finagle 20 %, Envoy 20 %."""
RETRY_RATE_MIN = 3
"""Retries per second that a route may make whatever its traffic is. Precedent: Envoy 3 at once, linkerd 10 per second."""
RETRY_BUDGET_WINDOW_S = 10.0

# Processes.
WORKERS_MAX = 64
LINK_FRAME_BYTES_MAX = 64 * MiB
"""A table on its way to a worker: about 1 KiB a route."""
LINK_HELLO_BYTES_MAX = 1 * KiB
"""The first message of a worker, before it has shown the token."""
LINK_HELLO_S = 5.0
LINK_STRANGERS_MAX = 2 * WORKERS_MAX
"""Callers that have not shown the token yet."""
LINK_BUFFER_BYTES_MAX = 1 * MiB
"""What a worker holds for control; beyond it messages are dropped and counted."""
LISTENERS_MAX = 64
"""Sockets that the proxy listens on."""
SUPERVISOR_MESSAGE_BYTES_MAX = 64 * KiB
LINK_RECONNECT_S = 0.1
REPORT_INTERVAL_S = 1.0
"""Between two reports of a worker to control."""
ASK_S = 0.5
"""How long an admin request waits for workers to report; then it shows what they said last."""
LOAD_S = 5.0
"""How long a reload waits until every worker routes by the new table."""
RESTART_DELAY_S = 0.1
"""Before a process that died young is started again; doubled with each further death."""
RESTART_DELAY_S_MAX = 10.0
YOUNG_S = 5.0
"""A process that dies before this age has died young."""
KILL_S = 2.0
"""What a process gets beyond its time to end before it is killed."""
KEEP_PAUSE_RATIO = 50
"""Control rests so many times as long as it took to leave its state with the supervisor: that may cost 2 % of a core."""
CONTROL_ALIVE_S = 1.0
"""How often control says that it is alive."""
CONTROL_SILENCE_S = 30.0
"""A control that has not said so for this long hangs, and is killed and replaced."""
RETIRE_S = 3600.0
"""How long a worker that is one too many may go on with its exchanges."""
CONFIG_LOOK_S = 2.0
"""How often the config file is looked at when the system tells of no change."""
CONFIG_SETTLE_S = 0.2
"""A change is read when the file has been quiet for this long."""
ADMIN_BODY_BYTES_MAX = 64 * KiB

# Health of endpoints.
EJECTION_FAILURES = 5
EJECTION_EXCHANGES_MIN = 20
EJECTION_WINDOW_S = 30.0
EJECTION_COOLDOWN_S = 10.0
EJECTION_COOLDOWN_MAX_S = 300.0
PROBE_INTERVAL_S = 5.0
PROBE_TIMEOUT_S = 2.0
PROBE_RISE = 2
PROBE_FALL = 3
PROBES_AT_ONCE_MAX = 64
"""Probes of one worker under way."""
HEALTH_LOOK_S = 0.5
"""How often pools are told the time."""
LATENCY_MEMORY_S = 10.0
"""How long a latency counts for ``p2c``."""
LATENCY_S_MAX = 60.0

# Waits in seconds. The defaults fit LLM calls: minutes until the first byte, never a limit on the whole of a stream.
CLOCK_TICK_S = 0.1
"""How coarse every time limit is."""
CLOCK_PAUSE_S = 0.5
"""A tick that is later than this tells of a pause of the whole process, which counts against nobody's time limit."""
HEAD_S = 10.0
CLIENT_IDLE_S = 75.0
UPSTREAM_IDLE_S = 4.0
"""Below the five seconds after which uvicorn and Node close: a kept connection should never be found dead."""
CONNECT_S = 5.0
FIRST_BYTE_S = 600.0
BODY_IDLE_S = 300.0
TUNNEL_IDLE_S = 3600.0
LINGER_S = 2.0
CLIENT_LOOK_S = 2.0
"""A client that is not read, because its upstream is full, is looked at so often: it may have left."""
DRAIN_S = 10.0
DRAIN_SERVE_S = 1.0
"""How long a worker that drains still serves what comes on open connections: their clients cannot know yet."""
TLS_HANDSHAKE_S = 10.0
"""What a client has for its handshake; that with an endpoint counts into the time to connect."""
TLS_CLOSE_S = 3600.0
"""The loop's own bound on a TLS close. Ours, which sees whether the peer still takes bytes, comes long before it."""
FAILURE_LOG_INTERVAL_S = 1.0
"""Between two log lines about one kind of failure."""

# Names of endpoints.
DNS_TTL_S = 30.0
"""Default of ``proxy.dns_ttl``: the system's resolver does not say how long its answers hold."""
DNS_REFRESH_SHARE = 0.75
"""Of that time, after which whoever asks for a name has it looked up anew in the background."""
DNS_LOOKUP_S = 3.0
"""After so long a lookup has failed, though its answer is still taken when it comes."""
DNS_STALE_WAIT_S = 0.5
"""How long a connection waits for a fresh answer when there is an old one to go on with."""
DNS_RETRY_S = 1.0
"""Between a lookup that failed and the next for the same name."""
DNS_LOOKUPS_MAX = 16
"""Lookups at a time, each in a thread of its own; more wait in line."""
DNS_NAMES_MAX = 4096
DNS_ADDRESSES_MAX = 16
"""Of one name; the resolver's further ones are left out."""
DIAL_STAGGER_S = 0.25
"""The start given to one address of a name before the next is tried beside it (RFC 8305)."""

# Context.
TRACESTATE_BYTES_MAX = 512
"""W3C Trace Context 3.3.1.5: at least this much must be propagated."""
TRACESTATE_MEMBERS_MAX = 32
TRACESTATE_LONG_MEMBER_BYTES = 128
"""Members longer than this are the first to go when a tracestate is over its limits."""
BAGGAGE_BYTES_MAX = 8192
BAGGAGE_MEMBERS_MAX = 64
EXTERNAL_ID_BYTES_MAX = 128
COLOR_BYTES_MAX = 32
SESSION_KEY_BYTES_MAX = 512
"""A longer session key is none, but in a header that a ladder names."""
SESSION_NAME_BYTES_MAX = 64
"""A longer session key goes by its beginning and a digest."""

# Telemetry.
COLORS_COUNTED_MAX = 64
"""Colours that are labels of their own in one worker's life; further ones count as ``other``."""
LANE_ANSWERS_MAX = 128
"""Pairs of colour and status counted apart for one lane; further ones count under the status ``other``."""
METERS_RETIRED_MAX = 1000
"""Meters kept after a reload took their lane or endpoint away: exchanges under way still count there."""
SERIES_MAX = 40_000
"""Counters and histograms in the totals: a thousand routes with two lanes and their own endpoints, in every status they see."""
SERIES_VANISHED_MAX = 4_000
"""Of these, series whose lane or endpoint is no longer in the config; beyond it those that vanished first go."""
HTTP_SERIES_MAX = 128
"""Combinations of method, status and error counted apart for one route or server; further ones count as ``other``."""
GEN_AI_SERIES_MAX = 512
"""Combinations of models, server and error counted apart in one worker's life; further ones count as ``other``."""
MODELS_COUNTED_MAX = 64
"""Models that are labels of their own in one worker's life, and as many codes of errors; further ones count as ``other``."""
LABEL_CHARS_MAX = 128
"""A longer name of a model counts as ``other``."""
TOKENS_COUNTED_MAX = 2**53
"""What an answer may say of its tokens: beyond it a float is no longer exact."""
EXEMPLARS_MAX = 20_000
"""In the totals: one for each bucket that has one."""

# Mirroring. What is kept for copies is counted apart, so that they take no room from retries.
MIRROR_BODY_BYTES_MAX = 2 * MiB
"""Of one request, as it goes on the wire; a larger one is not copied."""
MIRROR_HELD_BYTES_MAX = 32 * MiB
"""What a worker keeps in all, until the copies have ended."""
MIRROR_PIECE_BYTES = 64
"""What a piece of a body costs beside its bytes."""
MIRROR_COPIES_MAX = 128
"""Copies that a worker has under way."""
MIRROR_ANSWER_BYTES_MAX = 16 * MiB
"""A longer answer to a copy is not read on."""
MIRROR_S = 120.0
"""Default of ``mirror.timeout``."""

# Rollouts.
EVIDENCE_TRACES_MAX = 5
"""Traces that are named as samples."""
EVIDENCE_NOTES_MAX = 128
"""Exchanges of one lane that are noted down before they are counted: in a tenth of a millisecond."""
EVIDENCE_VALUE_MIN = 1e-6
EVIDENCE_VALUE_MAX = 1e9
"""Seconds and tokens beyond these count as these: so a spread has 1745 buckets at most, whatever an upstream says."""
CONFIDENCE_MAX = 1e6
"""A confidence that is larger, either way, counts as none."""
CONFIDENCE_BODY_BYTES_MAX = 1 * MiB
"""Of a JSON answer, decoded, in which a confidence is looked for; a larger one has none."""
TURN_LEGS_MAX = 2000
"""Ended exchanges that a worker tells of in one delta, so that tokens can be added up by turns; the newest count."""
TURNS_OPEN_MAX = 10_000
"""Turns under way in control; with one more the oldest is given up."""
TURN_CLOSE_S = 5.0
"""After the agent's answer: what other workers have counted of its turn is there by then."""
TURN_QUIET_S = 30.0
"""The same where only calls of models tell of the turn: an agent runs its tools between them."""
JUDGE_ALPHA = 0.05
"""The chance that a lane which sits on each of its limits is failed within a step; all bounds of a plan share it."""
JUDGE_KEEN_AT_EXCHANGES = 10
"""The judge is strict below, and keenest at ten to thirty times as many exchanges."""
JUDGE_VALUES_MIN = 20
"""With fewer a mean or a baseline says nothing."""

# Records of exchanges, and their export.
LOOK_AHEAD_BYTES_MAX = 2 * MiB
"""A request's body up to this size is read as a whole before it goes on, where its trace or its lane may hang on it."""
STITCH_KEYS_MAX = 16_384
"""What a worker remembers that shares with no other."""
RECORDS_AT_ONCE = 32
"""So many records, or what there is after this time, go to control in one message."""
RECORDS_FLUSH_S = 0.05
RECENT_RECORDS_PER_S = 20
"""Records that a worker sends for ``/api/exchanges`` when nobody else wants any."""
CAPTURE_BYTES = 8 * KiB
"""Default of ``tracing.capture_limit``."""
CAPTURE_BYTES_MAX = 256 * KiB
EXPORT_TIMEOUT_S = 10.0
ATTRIBUTE_CHARS_MAX = 4096
"""Of one attribute that is not captured content, such as a query or a user agent."""
SPAN_NAME_CHARS_MAX = 256
EXPORT_QUEUE_SPANS_MAX = 8192
"""Spans of records that wait for export in control; those of further records are dropped and counted."""
EXPORT_QUEUE_BYTES_MAX = 64 * MiB
"""The same in bytes, which counts when content is captured."""
EXPORT_BATCH_SPANS = 128
"""Encoding holds control's one lock for about 0.1 ms a span."""
EXPORT_BATCH_BYTES = 4 * MiB
EXPORT_DELAY_S = 1.0
"""How long a record waits for more to fill a batch."""
EXPORT_ATTEMPTS_MAX = 8
EXPORT_AGE_S_MAX = 60.0
"""A batch that nobody has taken by then, or after so many attempts, is dropped and counted."""
EXPORT_BACKOFF_S = 0.25
"""Before a batch is sent again; doubled with each further attempt."""
EXPORT_BACKOFF_MAX_S = 10.0
EXPORT_CLOSE_S = 1.5
"""How long control goes on exporting when it ends."""
ENCODED_ATTRIBUTES_MAX = 4096
"""Attributes whose encoding is remembered; then it is forgotten and begun anew."""
ENCODED_VALUE_CHARS_MAX = 64
CONSOLE_WAIT_S = 1.0
"""How long the console waits for the root of a trace before it shows what there is."""
CONSOLE_SPANS_MAX = 2_000
"""That wait."""
UDP_PACKET_BYTES_MAX = 65_000
"""What a Jaeger agent takes at once."""

# Requests to models.
TAIL_MESSAGES_MAX = 256
"""Of a conversation, from its end: where results of tools are looked for."""
HISTORY_MESSAGES_MAX = 64
"""Before these: where earlier calls are looked for."""
ECHOES_MAX = 256
"""Results of tools in one request."""
HISTORY_MAX = 8
"""Earlier calls by which a session is found."""
IDENTIFIER_CHARS_MAX = 16 * KiB
"""Ids of calls, answers and sessions. Gateways put kilobytes of a model's signature into an id; a longer one counts as none."""
PARAMETER_STRINGS_MAX = 64
PARAMETER_CHARS_MAX = 256
"""Of a model's or a tool's name and of each text that becomes an attribute."""
CONTENT_CHARS_MAX = 256 * KiB
"""Captured of one request, for the messages, the system's words and the tools apart; what is older is left out."""
CONTENT_PARTS_MAX = 2000
CONTENT_PART_CHARS = 32
"""What a part costs of these beside its text."""

# Answers of models, read beside the traffic.
ANSWER_READ_BYTES_MAX = 4 * MiB
"""Of a whole JSON answer, decoded; a larger one is not read."""
ANSWER_EVENT_BYTES_MAX = 1 * MiB
"""Of one event of a stream; a larger one is passed over."""
ANSWER_ENCODINGS_MAX = 2
"""Content encodings on top of each other."""
ANSWER_DECODED_READ_BYTES_MAX = 4 * MiB
"""What one read of an encoded answer may become: a bomb ends here, after a few milliseconds."""
ANSWER_DECODED_BYTES_MAX = 256 * MiB
"""What an encoded answer may become in all."""
ANSWER_TEXT_CHARS_MAX = 1024 * 1024
"""Text of an answer that is kept; a longer one has no anchors. Reasoning and arguments of calls have as much each."""
ANSWER_CHOICES_MAX = 128
ANSWER_CALLS_MAX = 256
"""Tool calls of one answer; with more, those that are not yet whole are given up."""
ANSWER_NAME_CHARS_MAX = 512
"""Of an id, a model, a tool's name or a finish reason."""
ANSWER_ERROR_CHARS_MAX = 128
ANSWER_GAPS_MAX = 4096
"""Gaps between chunks of one stream that are measured."""

# The log of exchanges and the live view.
LOG_VALUE_CHARS_MAX = 1024
"""Of one text in a line of the log; the rest is cut off."""
LOG_QUEUE_BYTES_MAX = 4 * MiB
"""Lines that wait to be written; beyond it they are left out and counted."""
LOG_FLUSH_S = 0.05
"""How long lines are collected before they are written together."""
LOG_LOOK_S = 1.0
"""How often a log that is written to is looked at, for it may have been moved away."""
LOG_STALL_S = 1.0
"""How long a pipe that takes no more is waited for before lines are left out."""
LOG_CLOSE_S = 1.0
"""What the lines that wait get at the end."""
LIVE_RECORDS_MAX = 1000
"""Exchanges that ``/api/exchanges`` remembers."""
LIVE_SHOWN = 100
"""Of these, how many it shows unless asked for more."""
LIVE_STREAMS_MAX = 16
LIVE_PENDING_MAX = 1000
"""Exchanges that wait for one slow reader of ``/api/exchanges/stream``; beyond it they are left out, and it is told."""
LIVE_WRITE_EXCHANGES = 50
"""What is made ready for a reader at once, so that the admin port goes on answering."""
LIVE_KEEPALIVE_S = 10.0
LIVE_STALL_S = 30.0
"""A reader that takes nothing for so long is gone."""
TAIL_LINE_BYTES_MAX = 1 * MiB
"""Of an event that ``tracer-proxy tail`` reads."""
DIFF_SHOWN = 20
"""Sessions that ``diff`` and a reload that is only tried name."""
TAIL_LAST = 10
TAIL_RETRY_S = 1.0
TAIL_CONNECT_S = 5.0
TAIL_SILENCE_S = 35.0
"""A stream that says nothing for so long, no keep-alive either, has broken off."""

# Stitching. An entry of the shared memory has 256 bytes; what is never written of the file takes no memory.
STITCH_MEMORY_S = 4 * 3600.0
"""How long what was handed out is remembered. Longer than a trace may be, so that a late result still finds its session."""
STITCH_BUCKETS = 4096
"""Of eight entries each: 32 768 in all, 8.5 MiB, for each process that writes. A call that is handed out takes two."""
MARK_BUCKETS = 4096
"""The same for marks, with entries of 40 bytes: 1.8 MiB. A call whose result has come back takes one."""
COLOR_BUCKETS = 4096
"""The same for colours, with entries of 72 bytes: 2.8 MiB. Apart: much coloured traffic drives out no ids."""
STITCH_REGIONS_MAX = 128
"""Processes that write at a time: workers, and those of before that still serve."""
STITCH_RIVALS_MAX = 2
"""Holders of one key that are kept by one writer: two are enough to know that it tells nothing."""
STITCH_TOOL_BYTES_MAX = 63
STITCH_RESULTS_MAX = 64
"""Results of one request that are looked up; the rest go by these."""
STITCH_HISTORY_MAX = 8
UNIQUE_ID_BITS_MIN = 60.0
"""Of randomness that an id shows. OpenAI's have 142, Anthropic's 128; Mistral's nine characters, with 53, are too few."""
UNIQUE_ID_BYTES_MAX = 512
"""A longer id is not looked at: it does not count as unique."""
TRACE_AGE_S_MAX = 3600.0
TRACE_STEPS_MAX = 500
"""Exchanges in a row that one trace takes; with the next a new trace begins, which is linked to it."""
MCP_CALL_S_MAX = 600.0
"""How long after a model has handed out a call a tool server's exchange is taken for it."""
COLOR_REFRESH_S = 60.0
"""A colour that a worker has written is not written again for so long."""
COLORS_WRITTEN_MAX = 4096
"""Traces and sessions of which a worker knows that it has written them."""

# Lanes that finish their sessions.
LANE_DRAIN_S = 3600.0
SESSIONS_REFRESH_S = 10.0
"""A session that a worker has noted is not noted again for so long."""
SESSIONS_NOTED_MAX = 8192
# Rollouts: their course.
ROLLOUT_HOLD_S = 300.0
ROLLOUT_MIN_EXCHANGES = 50
ROLLOUT_STEPS_MAX = 50
ROLLOUT_TICK_S = 1.0
ROLLOUT_PASSED_S_MAX = 5.0
"""What counts at most of the time between two ticks: a machine that slept has judged nothing meanwhile."""
ROLLOUT_LOOKS_PER_HOLD = 30
"""How often a lane is judged while a step is held, as far as these two allow it."""
ROLLOUT_LOOK_S_MIN = 1.0
ROLLOUT_LOOK_S_MAX = 5.0
"""A lane that fails is found out this soon, however long its steps are."""
ROLLOUT_SETTLE_S_MAX = 2.0
"""How long after a change of weights nothing counts; workers tell each second what they have served."""
ROLLOUT_SETTLE_RATIO = 0.1
"""Of the time that a step is held, if that is less."""
ROLLOUT_SLICES = 30
"""Of the time that a confidence has to stay low."""
ROLLOUT_CONFIDENCE_PARTS = 5
"""Of that time, in each of which the mean has to be low."""
ROLLOUT_HISTORY_MAX = 50
ROLLOUT_WRITE_S = 5.0
"""How often what rollouts have seen is written to the state folder; a change of their state is written at once."""
ROLLOUT_FILE_BYTES_MAX = 64 * MiB
ROLLOUT_TEXT_CHARS_MAX = 256
"""Of a name or a reason that somebody gives."""
WEBHOOK_QUEUE_MAX = 100
"""Changes that wait to be told; beyond it the oldest is left out."""
WEBHOOK_ATTEMPTS_MAX = 6
WEBHOOK_BACKOFF_S = 0.5
WEBHOOK_BACKOFF_MAX_S = 30.0
WEBHOOK_TIMEOUT_S = 10.0
WEBHOOK_CLOSE_S = 1.5
"""What is left to those that wait when the proxy ends."""

# Config.
CONFIG_BYTES_MAX = 1 * MiB
CONFIG_NODES_MAX = 100_000
"""Values of a config file, counted after aliases are resolved."""
CONFIG_DEPTH_MAX = 64
CONFIG_TEXT_SHOWN_MAX = 60
"""How many characters of a wrong value an error message repeats."""
CONFIG_DURATION_S_MAX = 30 * 24 * 3600.0
CONFIG_SIZE_BYTES_MAX = 1024 * 1024 * MiB
CONFIG_WEIGHT_MAX = 1_000_000.0
CONFIG_CONNECTIONS_MAX = 1_000_000
TLS_FILE_BYTES_MAX = 4 * MiB
"""Of a certificate, key or CA file; the bundle of all public CAs has about 250 KiB."""
UNIX_PATH_BYTES_MAX = 103
"""Linux has room for 108 bytes and macOS for 104, one of them for the closing NUL."""

# Mocks.
MOCK_REQUEST_BYTES_MAX = 32 * MiB
"""Agent histories with images are large; a server's usual 1 MiB is too small for them."""
MOCK_JSON_DEPTH_MAX = 100
MOCK_CHOICES_MAX = 128
"""``n`` of a chat completion; the provider's own bound."""
MOCK_STOP_SEQUENCES_MAX = 4
"""The provider's own bound."""
MOCK_QUOTE_CHARS_MAX = 300
"""What an answer repeats of a user's text or a tool's result."""
MOCK_COUNTED_CHARS_MAX = 64 * KiB
"""Characters of one text whose tokens are counted; those of the rest are extrapolated."""
MOCK_EMBEDDED_CHARS_MAX = 32 * KiB
"""Characters of one text that its vector depends on; about what embedding models read."""
MOCK_CANDIDATES_MAX = 8
MOCK_GEMINI_STOP_SEQUENCES_MAX = 5
MOCK_EMBED_BATCH_MAX = 100
"""Of Gemini's requests; the provider's own bounds."""
MOCK_THINKING_TOKENS_MIN = 1024
MOCK_CACHED_TOKENS_MIN = 1024
"""A shorter beginning of a prompt is not cached; the provider's own bound, as the one before and the one after it."""
MOCK_CACHE_MARKS_MAX = 4
MOCK_EMBEDDINGS_MAX = 2048
MOCK_EMBEDDED_TOKENS_MAX = 300_000
"""Texts of one embeddings request, and their tokens together; the provider's own bounds."""
MOCK_RESPONSES_MAX = 10_000
MOCK_RESPONSES_BYTES_MAX = 32 * MiB
"""Responses kept to be fetched, or continued by their ids, of each provider; those not used for longest give way."""
MOCK_INPUT_ITEMS_PAGE_MAX = 100
"""The provider's own bound."""
MOCK_SCHEMA_DEPTH_MAX = 24
MOCK_SCHEMA_PARTS_MAX = 10_000
"""Parts looked at for the data of one JSON schema: ``allOf`` of ``allOf`` multiplies."""
MOCK_ITEMS_MAX = 64
"""Items of a generated array, and tool results that one answer repeats."""
MOCK_SCHEMA_CHARS_MAX = 64 * KiB
"""Rough size of the data generated for one JSON schema."""
MOCK_JOURNAL_CALLS_MAX = 1000
MOCK_JOURNAL_BYTES_MAX = 32 * MiB
MOCK_JOURNAL_REQUEST_BYTES_MAX = 4 * MiB
"""A larger request is journalled without its body."""
MOCK_STOP_S = 0.2
"""What a mock that is stopped gives to answers under way; aiohttp may wait twice as long."""

# Demo.
DEMO_SESSIONS_MAX = 2000
DEMO_TURNS_MAX = 20
DEMO_SESSIONS_AT_ONCE = 16
DEMO_ERRORS_MAX = 10
"""After so many turns that failed the demo sends no more."""
DEMO_AGENT_ROUNDS_MAX = 4
"""How often the agent asks the model in one turn."""
DEMO_MESSAGE_BYTES_MAX = 16 * KiB
DEMO_LOG_LINES_MAX = 20
"""What is kept of the proxy's log, to say why it ended."""
DEMO_START_S = 30.0
DEMO_REQUEST_S = 10.0
DEMO_STOP_S = 3.0

# JSON-RPC: MCP and A2A.
RPC_REQUEST_BYTES_MAX = 4 * MiB
"""A larger request is read by its headers alone."""
RPC_BATCH_BYTES_MAX = 64 * KiB
"""A larger batch is not read: MCP did away with batches, and a million small items would hold the worker up."""
RPC_ARGUMENTS_BYTES_MAX = 64 * KiB
"""Larger arguments have no digest: they would hold the worker up for more than a millisecond, and models do not write them."""
RPC_META_BODY_BYTES_MAX = 1 * MiB
"""A larger request gets no trace context in its ``_meta``."""
RPC_ANSWER_BYTES_MAX = 4 * MiB
"""Of an answer in one piece, and of all that is kept of a stream; after decompression."""
RPC_MEMBERS_MAX = 1000
"""Members of an object into which trace context is written; MCP's have a handful."""
RPC_TEXT_CHARS_MAX = 512
"""Of a method, a name or an id; a longer one counts as missing, as what is cut could be taken for another."""
RPC_MESSAGE_CHARS_MAX = 512
"""Kept of an error's message."""

assert WRITE_BUFFER_LOW_BYTES < WRITE_BUFFER_HIGH_BYTES
assert EJECTION_COOLDOWN_S <= EJECTION_COOLDOWN_MAX_S
assert CLOCK_TICK_S <= HEALTH_LOOK_S < PROBE_INTERVAL_S
assert CONTROL_ALIVE_S < CONTROL_SILENCE_S
assert LINK_RECONNECT_S < REPORT_INTERVAL_S
assert RESTART_DELAY_S < RESTART_DELAY_S_MAX
assert CLOCK_TICK_S < CLOCK_PAUSE_S
assert min(HEAD_S, CONNECT_S, UPSTREAM_IDLE_S, LINGER_S) > CLOCK_TICK_S
assert max(DNS_LOOKUP_S, DNS_STALE_WAIT_S, DIAL_STAGGER_S) < CONNECT_S
assert TLS_CLOSE_S > BODY_IDLE_S
assert TRAILER_BYTES_MAX <= HEAD_BYTES_MAX
assert CHUNK_LINE_BYTES_MAX <= HEAD_BYTES_MAX
assert PIPELINED_BYTES_MAX >= HEAD_BYTES_MAX
assert PIPELINED_PIECE_BYTES <= PIPELINED_BYTES_MAX
assert MIRROR_BODY_BYTES_MAX <= MIRROR_HELD_BYTES_MAX
assert REPLAY_BYTES_MAX <= HELD_BODIES_BYTES_MAX
assert EXCHANGES_MAX <= CLIENT_CONNECTIONS_MAX
assert max(POOL_CONNECTIONS_MAX, POOL_PENDING_MAX, POOL_REQUESTS_MAX) <= EXCHANGES_MAX
assert RETRY_BACKOFF_S <= RETRY_BACKOFF_MAX_S
assert 1 <= RETRY_ATTEMPTS <= RETRY_ATTEMPTS_MAX
assert SERIES_VANISHED_MAX < SERIES_MAX
assert EXPORT_BATCH_SPANS < EXPORT_QUEUE_SPANS_MAX
assert REPORT_INTERVAL_S < TURN_CLOSE_S < TURN_QUIET_S < TRACE_AGE_S_MAX
assert EXPORT_BATCH_BYTES < EXPORT_QUEUE_BYTES_MAX
assert EXPORT_BACKOFF_S <= EXPORT_BACKOFF_MAX_S < EXPORT_AGE_S_MAX


assert max(LOG_CLOSE_S, EXPORT_CLOSE_S) <= KILL_S
assert LIVE_SHOWN <= LIVE_RECORDS_MAX
assert TAIL_LAST <= LIVE_RECORDS_MAX
assert 3 * LIVE_KEEPALIVE_S < TAIL_SILENCE_S

assert MODELS_COUNTED_MAX <= GEN_AI_SERIES_MAX <= SERIES_MAX
assert MOCK_JOURNAL_REQUEST_BYTES_MAX <= MOCK_JOURNAL_BYTES_MAX
assert TRACE_AGE_S_MAX <= STITCH_MEMORY_S
assert MCP_CALL_S_MAX <= STITCH_MEMORY_S
assert COLOR_REFRESH_S < STITCH_MEMORY_S
assert SESSIONS_REFRESH_S < LANE_DRAIN_S <= STITCH_MEMORY_S
assert STITCH_RIVALS_MAX >= 2
