import type { RoomId, UserId } from '@causeway/matrix/ids/ids.ts'
import type { Clock } from '@causeway/store/clock/clock.ts'
import type { LogEntry, ReceiptEntry } from '@causeway/store/log/entry.ts'
import type { Logger } from '../ops/log.ts'
import { presenceEvent } from '../presence/presence-event.ts'
import type { Presence } from '../presence/presence.ts'
import type { RoomEngine } from '../rooms/engine.ts'
import { findRoom } from '../rooms/load-head.ts'
import type { Notifier } from '../sync/notifier.ts'
import type { VolatileStream } from '../sync/volatile.ts'
import type { Typing } from '../user-data/typing.ts'
import type { Appservices } from './appservices.ts'
import type { EphemeralItem } from './ephemeral-buffer.ts'
import { isUserOf, type AppserviceRegistry } from './registry.ts'

export interface FeedDeps {
  readonly rooms: RoomEngine
  readonly clock: Clock
  readonly logger: Logger
  readonly volatile: VolatileStream
  readonly registry: AppserviceRegistry
}

/** Where what changes by itself is read. */
export interface FeedSources {
  readonly appservices: Appservices
  readonly typing: Pick<Typing, 'of'>
  readonly presence: Pick<Presence, 'of' | 'changedSince'>
}

/**
 * Typing, receipts and presence for the appservices that asked for them: best effort, lost when the process ends
 * or the appservice is away. https://spec.matrix.org/v1.19/application-service-api/#pushing-ephemeral-data
 */
export interface EphemeralFeed {
  /** A notifier that tells the feed, too, of what it announces. The same one where no appservice asked. */
  watch(notifier: Notifier): Notifier
  onEntry(entry: LogEntry): void
  /** Begins; what is announced before is nobody's. */
  open(sources: FeedSources): void
}

/** Rooms looked at to find out whether an appservice shares one with a user. */
const MAX_SHARED_ROOMS = 200

export function createEphemeralFeed(deps: FeedDeps): EphemeralFeed {
  return new Feed(deps)
}

class Feed implements EphemeralFeed {
  readonly #deps: FeedDeps
  readonly #isAsked: boolean
  #sources: FeedSources | undefined
  /** Rooms in which something was announced since the last look. */
  #rooms = new Set<RoomId>()
  #isLooking = false
  #seen = 0

  constructor(deps: FeedDeps) {
    this.#deps = deps
    this.#isAsked = deps.registry.list.some(({ receivesEphemeral }) => receivesEphemeral)
  }

  watch(notifier: Notifier): Notifier {
    if (!this.#isAsked) return notifier
    return {
      ...notifier,
      wakeRoom: (roomId) => {
        notifier.wakeRoom(roomId)
        this.#rooms.add(roomId)
        this.#lookLater()
      },
      wakeUser: (userId) => {
        notifier.wakeUser(userId)
        this.#lookLater()
      },
    }
  }

  open(sources: FeedSources): void {
    this.#sources = sources
  }

  onEntry(entry: LogEntry): void {
    if (!this.#isAsked || entry.kind !== 'receipt') return
    this.#tellReceipt(entry).catch((error: unknown) => this.#warn(error))
  }

  /** What is announced within a turn of the event loop is looked at once. */
  #lookLater(): void {
    if (this.#isLooking || this.#sources === undefined) return
    this.#isLooking = true
    const sources = this.#sources
    this.#deps.clock.defer(() => {
      this.#look(sources)
        .catch((error: unknown) => this.#warn(error))
        .finally(() => {
          this.#isLooking = false
          if (this.#rooms.size > 0) this.#lookLater()
        })
    })
  }

  async #look({ typing, presence }: FeedSources): Promise<void> {
    const rooms = this.#rooms
    this.#rooms = new Set()
    const since = this.#seen
    this.#seen = this.#deps.volatile.position()
    for (const roomId of rooms) {
      const now = typing.of(roomId)
      if (now === undefined || now.changedAt <= since) continue
      const content = `{"user_ids":${JSON.stringify(now.userIds)}}`
      const json = `{"type":"m.typing","room_id":${JSON.stringify(roomId)},"content":${content}}`
      await this.#tellRoom(roomId, { key: `typing ${roomId}`, json })
    }
    for (const userId of presence.changedSince(since)) {
      const json = presenceEvent(userId, presence.of(userId), this.#deps.clock.now())
      await this.#tellAcquaintances(userId, { key: `presence ${userId}`, json })
    }
  }

  async #tellReceipt({ roomId, userId, receiptType, eventId, threadId, ts }: ReceiptEntry): Promise<void> {
    const isPrivate = receiptType === 'm.read.private'
    if (!isPrivate && receiptType !== 'm.read') return
    const receipt = { ts, ...(threadId === undefined ? {} : { thread_id: threadId }) }
    const content = { [eventId]: { [receiptType]: { [userId]: receipt } } }
    const item = {
      key: JSON.stringify([roomId, userId, receiptType, threadId]),
      json: JSON.stringify({ type: 'm.receipt', room_id: roomId, content }),
    }
    await this.#tellRoom(roomId, item, isPrivate ? userId : undefined)
  }

  /** @param owner whose appservices alone are told */
  async #tellRoom(roomId: RoomId, item: EphemeralItem, owner?: UserId): Promise<void> {
    const { registry, rooms } = this.#deps
    const room = await findRoom(rooms, roomId)
    if (room === undefined) return
    for (const appservice of registry.list) {
      if (!appservice.receivesEphemeral) continue
      if (owner !== undefined && !isUserOf(registry, appservice, owner)) continue
      if (await this.#sources?.appservices.wantsRoom(appservice.id, room)) this.#put(appservice.id, item)
    }
  }

  async #tellAcquaintances(userId: UserId, item: EphemeralItem): Promise<void> {
    const { registry } = this.#deps
    for (const appservice of registry.list) {
      if (!appservice.receivesEphemeral) continue
      if (isUserOf(registry, appservice, userId) || (await this.#sharesRoom(appservice.id, userId))) {
        this.#put(appservice.id, item)
      }
    }
  }

  async #sharesRoom(appserviceId: string, userId: UserId): Promise<boolean> {
    const { rooms } = this.#deps
    const { byId, joined } = await rooms.members.roomsOf(userId)
    let looked = 0
    for (const roomId of joined) {
      if (looked++ >= MAX_SHARED_ROOMS) return false
      const roomNid = byId.get(roomId)!.roomNid
      if (await this.#sources?.appservices.wantsRoom(appserviceId, { roomId, roomNid })) return true
    }
    return false
  }

  #put(appserviceId: string, item: EphemeralItem): void {
    this.#sources?.appservices.queue(appserviceId)?.putEphemeral(item)
  }

  #warn(error: unknown): void {
    this.#deps.logger.warn('ephemeral data did not reach the appservices', { error })
  }
}
