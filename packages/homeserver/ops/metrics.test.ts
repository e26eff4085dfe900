import assert from 'node:assert/strict'
import { it } from 'node:test'
import { Registry } from 'prom-client'
import { createMemoryBudget } from '@causeway/store/cache/memory-budget.ts'
import type { RoomId, ServerName } from '@causeway/matrix/ids/ids.ts'
import { createOutboundFigures } from '../federation/outbound/figures.ts'
import { createEduTally } from '../federation/edus/edu-tally.ts'
import { compileEndpoint } from '../http/compile-endpoint.ts'
import { createRoomFigures } from '../rooms/room-figures.ts'
import { createReceiveFigures } from '../rooms/receive/figures.ts'
import { registerSources } from './register-sources.ts'
import { createPushFigures } from '../push/figures.ts'
import { RequestTimes } from './request-times.ts'

const endpoint = compileEndpoint(
  { operation: 'sync', method: 'GET', path: '/sync', auth: 'none', run: async () => ({}) },
  3,
)

it('shows what was measured, in the form that Prometheus reads', async () => {
  const registry = new Registry()
  const times = new RequestTimes()
  const budget = createMemoryBudget(1000)
  budget.cache({ name: 'heads', share: 0.5, weigh: () => 1 })
  const stats = { waiting: 1, inFlight: 0, batches: 2, writes: 30, refused: 4 }
  const receiving = { figures: createReceiveFigures(), inbox: { active: () => 0 } }
  const eduTally = createEduTally()
  eduTally.count('m.typing', 'taken', 3)
  const figures = createOutboundFigures()
  const since = 5_000
  const asleep = { failures: 1, since, retryTs: 9_000, lastError: 'gone' }
  const outbound = {
    figures,
    states: () => [{ server: 'b.example' as ServerName, phase: 'asleep' as const, ...asleep }],
  }
  const clock = { now: () => 7_500 }
  const rooms = createRoomFigures()
  rooms.noteExtremities('!forked:a.example' as RoomId, 3)
  rooms.noteResolution('!forked:a.example' as RoomId, 1_500)
  rooms.messages.removed += 8
  const requests = { ok: 5, refused: 1 }
  const federation = { tally: { requests, waiting: 2 }, destinations: { failing: () => 7 } }
  const push = {
    figures: createPushFigures(),
    mails: new Map([['sent' as const, 2]]),
    turns: () => [{ place: 'push.example', phase: 'asleep' as const, ...asleep }],
  }
  push.figures.outcome('sent')
  registerSources(registry, {
    push,
    sms: { figures: { sent: 2, refused: 0, failed: 1, limited: 0 } },
    delayed: { figures: { sent: 6, refused: 1, fault: 0, lateMs: 1_500 } },
    userDirectory: { behind: () => 3, roomsToWalk: async () => 2 },
    roomList: { behind: () => 4 },
    times,
    budget,
    router: { waiting: new Set() },
    db: { stats, query: async () => [], queryLarge: async () => [] },
    rooms: { figures: rooms, policy: { figures: { signed: 4, refused: 2, unreachable: 1 } } },
    outbound,
    clock,
    receiving,
    eduTally,
    federation,
    search: { behind: () => 12, figures: { documents: 34 } },
  })
  figures.outcome('unreachable')
  figures.sent(3, 4)
  times.observe(endpoint, 200, 3)
  times.observe(endpoint, 404, 30_001)
  times.observe(undefined, 404, 1)
  const text = await registry.metrics()
  assert.match(text, /^causeway_pushers\{failing="false"\} 0$/m)
  assert.match(text, /^causeway_push_waiting_pushers\{phase="asleep"\} 1$/m)
  assert.match(text, /^causeway_push_oldest_seconds\{asleep="true"\} 2\.5$/m)
  assert.match(text, /^causeway_push_gateway_waiting_pushers\{gateway="push\.example"\} 1$/m)
  assert.match(text, /^causeway_sms_total\{outcome="failed"\} 1$/m)
  assert.match(text, /^causeway_push_attempts_total\{outcome="sent"\} 1$/m)
  assert.match(text, /^causeway_http_request_seconds_bucket\{operation="sync",le="0\.0025"\} 0$/m)
  assert.match(text, /^causeway_http_request_seconds_bucket\{operation="sync",le="0\.005"\} 1$/m)
  assert.match(text, /^causeway_http_request_seconds_bucket\{operation="sync",le="\+Inf"\} 2$/m)
  assert.match(text, /^causeway_http_request_seconds_count\{operation="sync"\} 2$/m)
  assert.match(text, /^causeway_http_answers_total\{operation="sync",status="4xx"\} 1$/m)
  assert.match(text, /^causeway_http_answers_total\{operation="unmatched",status="4xx"\} 1$/m)
  assert.match(text, /^causeway_db_writes_total 30$/m)
  assert.match(text, /^causeway_search_behind 12$/m)
  assert.match(text, /^causeway_search_documents_total 34$/m)
  assert.match(text, /^causeway_federation_edus_total\{type="m.typing",outcome="taken"\} 3$/m)
  assert.match(text, /^causeway_cache_limit_bytes\{cache="heads"\} 500$/m)
  assert.match(text, /^causeway_federation_outbound_servers\{phase="asleep"\} 1$/m)
  assert.match(text, /^causeway_federation_outbound_oldest_seconds\{asleep="true"\} 2\.5$/m)
  assert.match(
    text,
    /^causeway_federation_destination_waiting_seconds\{server="b.example",asleep="true"\} 2\.5$/m,
  )
  assert.match(text, /^causeway_room_extremities\{room_id="!forked:a.example"\} 3$/m)
  assert.match(text, /^causeway_room_resolution_seconds\{room_id="!forked:a.example"\} 1\.5$/m)
  assert.match(text, /^causeway_room_resolution_seconds\{room_id="others"\} 0$/m)
  assert.match(text, /^causeway_federation_outbound_transactions_total\{outcome="unreachable"\} 1$/m)
  assert.match(text, /^causeway_federation_outbound_pdus_total 3$/m)
  assert.match(text, /^causeway_federation_requests_total\{outcome="refused"\} 1$/m)
  assert.match(text, /^causeway_federation_failing_destinations 7$/m)
  assert.match(text, /^causeway_user_directory_behind 3$/m)
  assert.match(text, /^causeway_room_list_behind 4$/m)
  assert.match(text, /^causeway_user_directory_rooms_waiting 2$/m)
  assert.match(text, /^causeway_delayed_events_total\{outcome="sent"\} 6$/m)
  assert.match(text, /^causeway_messages_removed_total\{how="removed"\} 8$/m)
  assert.match(text, /^causeway_delayed_events_late_seconds 1\.5$/m)
  assert.match(text, /^causeway_policy_answers_total\{outcome="refused"\} 2$/m)
  assert.match(text, /^nodejs_eventloop_lag_p99_seconds /m)
  assert.match(text, /^process_resident_memory_bytes /m)
})
