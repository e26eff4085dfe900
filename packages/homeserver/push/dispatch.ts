import type { UserId } from '@causeway/matrix/ids/ids.ts'
import type { Bus } from '@causeway/store/bus/local.ts'
import type { Clock } from '@causeway/store/clock/clock.ts'
import type { Database, Step } from '@causeway/store/db/database.ts'
import { runCursor, type Cursor, type CursorEffects } from '@causeway/store/log/cursor.ts'
import { EventFlag, type EventEntry, type LogEntry, type StoredEvent } from '@causeway/store/log/entry.ts'
import type { Log } from '@causeway/store/log/log.ts'
import { memberChangesOf } from '@causeway/store/log/member-changes.ts'
import { deleteDigestsOfRoom, expectDigest } from '@causeway/store/tables/digests.ts'
import { MAIL_SERVER, type PusherRef } from '@causeway/store/tables/pushers.ts'
import { BADGE, deletePushesOfRoom, markPush } from '@causeway/store/tables/push-queue.ts'
import type { Logger } from '../ops/log.ts'
import type { UnsentRooms } from '../outgoing/unsent-rooms.ts'
import type { RoomEngine } from '../rooms/engine.ts'
import { findRoom } from '../rooms/load-head.ts'
import { isShown } from '../rooms/read-events.ts'
import { readByItself } from '../unread/event-steps.ts'
import { ANYBODY, mentionsOf } from '../unread/mentions.ts'
import { countModeOf } from '../unread/rule-plan.ts'
import type { PushRules } from '../user-data/push-rules.ts'
import { readPushEntries } from './read-entries.ts'
import type { Watchers } from './watchers.ts'

export interface DispatchDeps {
  readonly db: Database
  readonly log: Log
  readonly bus: Bus
  readonly clock: Clock
  readonly logger: Logger
  readonly rooms: RoomEngine
  readonly pushRules: Pick<PushRules, 'of'>
  readonly watchers: Watchers
  readonly unsent: UnsentRooms<number>
  /** After how long somebody is told by e-mail of what they missed, milliseconds. */
  readonly mailDelayMs: number
  /** Told of the pushers that something was written down for, once that is durable. */
  readonly wake: (pusherNid: number, gateway: string) => void
}

/** Reads the log once, for all pushers. */
export interface Dispatcher extends AsyncDisposable {
  /** Resolves with the position up to which everything is dispatched, once what is under way now is durable. */
  settled(): Promise<number>
  /** Resolves when everything up to a log position was dispatched, and whom it concerns was woken. */
  reached(position: number): Promise<void>
}

export const CURSOR_NAME = 'push'

/**
 * Reads the log once, for all pushers, and writes down in one write with the position which of them may have to be
 * told of something: a row for a pusher and a room of which nothing waits yet. Whether they are told, and of what, is
 * decided when their turn comes. What nobody with a pusher is concerned by costs no query and no write.
 */
export async function startDispatch(deps: DispatchDeps): Promise<Dispatcher> {
  const started = Promise.withResolvers<Cursor>()
  const dispatcher = new PushDispatcher(deps, started.promise)
  const cursor = await runCursor(deps, {
    name: CURSOR_NAME,
    read: readPushEntries(deps),
    handle: (entries) => dispatcher.handle(entries),
    onError: (error) => deps.logger.error('events cannot be put into the queues of pushers', { error }),
  })
  started.resolve(cursor)
  return dispatcher
}

/** What a batch of entries comes to. */
interface Batch {
  readonly steps: Step[]
  /** Places by pusher. Not empty: the position has to be durable before any of it is sent. */
  readonly woken: Map<number, string>
}

class PushDispatcher implements Dispatcher {
  readonly #deps: DispatchDeps
  readonly #cursor: Promise<Cursor>
  #handled = 0
  /** Ends when whoever is to be woken by what is durable was. */
  #waking = Promise.resolve()

  constructor(deps: DispatchDeps, cursor: Promise<Cursor>) {
    this.#deps = deps
    this.#cursor = cursor
  }

  async settled(): Promise<number> {
    const cursor = await this.#cursor
    await cursor.reached(this.#handled)
    return cursor.position()
  }

  async reached(position: number): Promise<void> {
    await (await this.#cursor).reached(position)
    await this.#waking
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await (await this.#cursor)[Symbol.asyncDispose]()
  }

  async handle(entries: readonly LogEntry[]): Promise<CursorEffects | void> {
    const { watchers, unsent } = this.#deps
    const through = entries.at(-1)!.position
    if (entries[0]!.position <= this.#handled) {
      watchers.clear()
      unsent.clear()
    }
    this.#handled = through
    unsent.nextWrite()
    const batch: Batch = { steps: [], woken: new Map() }
    for (const entry of entries) if (await watchers.note(entry)) await this.#dispatch(batch, entry)
    if (batch.steps.length === 0 && batch.woken.size === 0) return undefined
    this.#wakeLater(batch.woken, through)
    // Without steps too: an event whose room waits already must not be put there again once it was sent.
    return { steps: batch.steps }
  }

  async #dispatch(batch: Batch, entry: LogEntry): Promise<void> {
    const { rooms, watchers } = this.#deps
    switch (entry.kind) {
      case 'event':
        return this.#dispatchEvent(batch, entry)
      case 'receipt': {
        const room = await findRoom(rooms, entry.roomId)
        if (room === undefined) return undefined
        const pushers = (await watchers.ofRoom(room.roomNid)).get(entry.userId)
        return this.#mark(batch, pushers, BADGE, entry.position)
      }
      case 'pushers':
        // One that is asleep may lead somewhere else now.
        for (const { nid, gateway } of await watchers.ofUser(entry.userId)) batch.woken.set(nid, gateway)
        return undefined
      case 'push_rules':
      case 'thread_subscription':
        return this.#mark(batch, await watchers.ofUser(entry.userId), BADGE, entry.position)
      case 'purge':
        batch.steps.push(deletePushesOfRoom(entry.roomNid), deleteDigestsOfRoom(entry.roomNid))
        return undefined
      default:
        return undefined
    }
  }

  async #dispatchEvent(batch: Batch, entry: EventEntry): Promise<void> {
    const { watchers } = this.#deps
    const { event } = entry
    await this.#dispatchMembers(batch, entry)
    if (!isShown(event)) return
    const present = await watchers.ofRoom(event.roomNid)
    for (const [userId, pushers] of present) {
      if (userId === event.sender) {
        if (readByItself(event, undefined) !== undefined) this.#mark(batch, pushers, BADGE, event.nid)
      } else if (await this.#mayNotify(userId, event)) this.#mark(batch, pushers, event.roomNid, event.nid)
    }
  }

  /** Whoever is invited is not in the room yet; whoever is out of it has nothing unread there any more. */
  async #dispatchMembers(batch: Batch, entry: EventEntry): Promise<void> {
    const { rooms, watchers } = this.#deps
    for (const { userId, membership, event } of memberChangesOf(entry)) {
      if (!userId.endsWith(`:${rooms.serverName}`) || event.nid !== entry.position) continue
      if (membership !== 'invite' && membership !== 'leave' && membership !== 'ban') continue
      const roomNid = membership === 'invite' ? event.roomNid : BADGE
      this.#mark(batch, await watchers.ofUser(userId), roomNid, entry.position)
    }
  }

  /** Whether the rules of a user can say so; most say by what kind of event it is. */
  async #mayNotify(userId: UserId, event: StoredEvent): Promise<boolean> {
    const { rooms, pushRules } = this.#deps
    const mode = countModeOf((await pushRules.of(userId)).changes, userId, event.roomId)
    if (mode === 'none' || mode === 'evaluate') return mode === 'evaluate'
    if (mode === 'default' && (event.flags & EventFlag.notifies) !== 0) return true
    const mentioned = mentionsOf(event, rooms.serverName)
    return mentioned.includes(userId) || mentioned.includes(ANYBODY)
  }

  #mark(batch: Batch, pushers: readonly PusherRef[] | undefined, roomNid: number, position: number): void {
    for (const { nid, gateway, since } of pushers ?? []) {
      const isMail = gateway === MAIL_SERVER
      // A count is no mail.
      if (since >= position || (isMail && roomNid === BADGE)) continue
      batch.woken.set(nid, gateway)
      if (!this.#deps.unsent.add(nid, roomNid)) continue
      batch.steps.push(markPush(nid, roomNid, position))
      if (isMail) batch.steps.push(expectDigest(nid, this.#deps.clock.now() + this.#deps.mailDelayMs))
    }
  }

  /** Wakes the pushers once the write is durable. When the process ends before, they are found at the next start. */
  #wakeLater(pushers: ReadonlyMap<number, string>, through: number): void {
    if (pushers.size === 0) return
    this.#waking = this.#cursor
      .then((cursor) => cursor.reached(through))
      .then(() => {
        for (const [nid, gateway] of pushers) this.#deps.wake(nid, gateway)
      })
      .catch(() => undefined)
  }
}
