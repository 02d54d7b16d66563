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
"""A longer session key is cut before it is hashed."""

# Telemetry.
COLORS_COUNTED_MAX = 64
"""Colours that are labels of their own in one worker's life; further ones count as ``other``."""
LANE_ANSWERS_MAX = 128
"""Pairs of colour and status counted apart for one lane; further ones count under the status ``other``."""
METERS_RETIRED_MAX = 1000
"""Meters kept after a reload took their lane or endpoint away: exchanges under way still count there."""
SERIES_MAX = 20_000
"""Series in the totals (a histogram is one): a thousand routes with two lanes, in every status they see."""
SERIES_VANISHED_MAX = 2_000
"""Of these, series whose lane or endpoint is no longer in the config; beyond it those that vanished first go."""

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
STITCH_SESSION_BYTES_MAX = 64
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
assert REPLAY_BYTES_MAX <= HELD_BODIES_BYTES_MAX
assert EXCHANGES_MAX <= CLIENT_CONNECTIONS_MAX
assert max(POOL_CONNECTIONS_MAX, POOL_PENDING_MAX, POOL_REQUESTS_MAX) <= EXCHANGES_MAX
assert RETRY_BACKOFF_S <= RETRY_BACKOFF_MAX_S
assert 1 <= RETRY_ATTEMPTS <= RETRY_ATTEMPTS_MAX
assert SERIES_VANISHED_MAX < SERIES_MAX
assert MOCK_JOURNAL_REQUEST_BYTES_MAX <= MOCK_JOURNAL_BYTES_MAX
assert TRACE_AGE_S_MAX <= STITCH_MEMORY_S
assert MCP_CALL_S_MAX <= STITCH_MEMORY_S
assert COLOR_REFRESH_S < STITCH_MEMORY_S
assert STITCH_RIVALS_MAX >= 2
