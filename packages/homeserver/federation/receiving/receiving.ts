import type { ServerName } from '@causeway/matrix/ids/ids.ts'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { Bus } from '@causeway/store/bus/local.ts'
import type { Cache } from '@causeway/store/cache/lru.ts'
import type { MemoryBudget } from '@causeway/store/cache/memory-budget.ts'
import type { Clock } from '@causeway/store/clock/clock.ts'
import { createSingleFlight, type SingleFlight } from '@causeway/store/cache/single-flight.ts'
import { listServersInRoom } from '@causeway/store/tables/room-servers.ts'
import type { Logger } from '../../ops/log.ts'
import type { RoomEngine } from '../../rooms/engine.ts'
import type { RoomPeers } from '../../rooms/peers/room-peers.ts'
import type { ReceiveDeps } from '../../rooms/receive/deps.ts'
import type { ReceiveFigures } from '../../rooms/receive/figures.ts'
import { createPolicyRetries, type PolicyRetries } from '../policy/policy-retries.ts'
import { createInbox, type Inbox } from '../../rooms/receive/inbox.ts'
import { createStickyJudge, type StickyJudge } from '../../rooms/receive/judge-sticky.ts'

/** What a running server has for taking in what others send. */
export interface Receiving extends ReceiveDeps, AsyncDisposable {
  readonly inbox: Inbox
  /** Policy servers that could not be asked are asked again. */
  readonly policyRetries: PolicyRetries
  readonly stickyJudge: StickyJudge
  /** Answers to transactions, by origin and id: a sender that missed one sends it again. */
  readonly answers: Cache<string, JsonObject>
  readonly underWay: SingleFlight<string, JsonObject>
}

/** Servers of a room that may be asked in turn, those with the most users first: they are the likeliest to know. */
const MAX_PEERS = 50

export interface ReceivingDeps {
  readonly rooms: RoomEngine
  readonly clock: Clock
  readonly logger: Logger
  readonly budget: MemoryBudget
  readonly bus: Bus
}

export function createReceiving(
  { rooms, clock, logger, budget, bus }: ReceivingDeps,
  peers: RoomPeers,
  figures: ReceiveFigures,
): Receiving {
  const deps: ReceiveDeps = { engine: rooms, peers, clock, logger, figures }
  const inbox = createInbox(
    deps,
    async (room) => (await listServersInRoom(rooms.db, room.roomNid, MAX_PEERS)) as ServerName[],
  )
  const policyRetries = createPolicyRetries(deps, (room, pdus) => inbox.placed(room, pdus))
  const stickyJudge = createStickyJudge(deps, bus, (room, pdus) => inbox.placed(room, pdus))
  rooms.onUnasked = (roomId, server) => policyRetries.begin(roomId, server)
  return {
    ...deps,
    inbox,
    policyRetries,
    stickyJudge,
    answers: budget.cache({
      name: 'federation_answers',
      share: 0.01,
      weigh: (answer: JsonObject) => 200 + 60 * Object.keys(answer['pdus'] ?? {}).length,
    }),
    underWay: createSingleFlight(),
    async [Symbol.asyncDispose]() {
      await stickyJudge[Symbol.asyncDispose]()
      await policyRetries[Symbol.asyncDispose]()
      await inbox[Symbol.asyncDispose]()
    },
  }
}
