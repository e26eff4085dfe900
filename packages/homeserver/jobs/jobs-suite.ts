import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { EventId, RoomId, UserId } from '@causeway/matrix/ids/ids.ts'
import { findRoomVersion } from '@causeway/matrix/room-versions/rules.ts'
import type { Clock } from '@causeway/store/clock/clock.ts'
import { systemClock } from '@causeway/store/clock/system.ts'
import type { DatabaseConfig } from '@causeway/store/db/open.ts'
import { silentLogger } from '../ops/log.ts'
import { createRoom, type CreateRoomInput } from '../rooms/create-room.ts'
import type { RoomEngine } from '../rooms/engine.ts'
import { sendEvent } from '../rooms/send.ts'
import { openTestEngine } from '../rooms/test-engine.ts'
import { plainRoom } from '../rooms/test-room.ts'
import { collectStateKind } from './collect-state.ts'
import { eraseUserKind } from './erase-user.ts'
import type { JobKind } from './job.ts'
import { purgeRoomKind } from './purge-room.ts'
import { redactUserKind } from './redact-user.ts'
import { createJobs, type Jobs } from './runner.ts'

// Test support: rooms and jobs over a real database.

export const alice = '@alice:test' as UserId
export const bob = '@bob:test' as UserId

export interface JobsFixture extends AsyncDisposable {
  readonly engine: RoomEngine
  readonly jobs: Jobs
  /** What `purgeRoom` and its like are given. */
  readonly hs: { readonly rooms: RoomEngine; readonly jobs: Jobs }
}

export async function openJobs(
  config: DatabaseConfig,
  more: readonly JobKind[] = [],
  jobClock: Clock = systemClock,
): Promise<JobsFixture> {
  const opened = await openTestEngine(config)
  const { engine } = opened
  const { db, random, log } = engine
  // Nobody uploads anything here.
  const whole = { db, log, rooms: engine } as unknown as ReturnType<Parameters<typeof eraseUserKind>[0]>
  const kinds = [
    purgeRoomKind(engine),
    redactUserKind(engine),
    collectStateKind(engine),
    eraseUserKind(() => whole),
    ...more,
  ]
  const jobs = createJobs({ db, clock: jobClock, random, logger: silentLogger }, kinds)
  return {
    engine,
    jobs,
    hs: { rooms: engine, jobs },
    async [Symbol.asyncDispose]() {
      await jobs[Symbol.asyncDispose]()
      await opened[Symbol.asyncDispose]()
    },
  }
}

export function newRoom(
  engine: RoomEngine,
  more: Partial<CreateRoomInput> & { readonly version?: string } = {},
): Promise<RoomId> {
  const usual = { name: 'A room', creatorProfile: { displayName: 'Alice' } }
  return createRoom(
    engine,
    plainRoom(alice, { rules: findRoomVersion(more.version ?? '12')!, ...usual, ...more }),
  )
}

export function say(
  engine: RoomEngine,
  roomId: RoomId,
  body: string,
  sender = alice,
  more: JsonObject = {},
): Promise<EventId> {
  const content = { msgtype: 'm.text', body, ...more }
  return sendEvent(engine, { roomId, type: 'm.room.message', sender, content })
}
