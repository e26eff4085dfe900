// Which entries of the log an appservice is told of for end-to-end encryption.
// https://github.com/matrix-org/matrix-spec-proposals/pull/3202
import type { UserId } from '@causeway/matrix/ids/ids.ts'
import type { LogEntry, StoredEvent } from '@causeway/store/log/entry.ts'
import { listSharingAppservice } from '@causeway/store/tables/appservice-encryption.ts'
import { getRoomByNid } from '../rooms/load-head.ts'
import { membershipBefore } from '../rooms/membership-before.ts'
import { readNewestState } from '../rooms/newest-state.ts'
import type { RoomEngine } from '../rooms/engine.ts'
import { isShown } from '../rooms/read-events.ts'
import type { KnownAppservice } from './known.ts'
import { findKeeper, type AccountDeps } from './owner.ts'
import type { EncryptionItem } from './queue-item.ts'
import { isUserOf } from './registry.ts'
import type { RoomInterest } from './room-interest.ts'

export interface EncryptionDeps extends AccountDeps {
  readonly rooms: RoomEngine
  readonly interest: RoomInterest
}

const NOBODY: ReadonlySet<KnownAppservice> = new Set()

/** One for the dispatcher, which hands it the log batch by batch. */
export class EncryptionInterest {
  readonly #deps: EncryptionDeps
  /** Those that asked for it and are sent anything. */
  readonly wanting: readonly KnownAppservice[]
  /** Of the batch: who with changed devices shares a room with whom. */
  #sharing = new Map<KnownAppservice, ReadonlySet<string>>()
  /** Of the batch: rooms that were looked at. */
  #encrypted = new Map<number, boolean>()

  constructor(deps: EncryptionDeps, known: Iterable<KnownAppservice>) {
    this.#deps = deps
    this.wanting = [...known].filter(({ appservice }) => appservice.receivesEncryption)
  }

  /** Begins a batch: one query for each appservice at most. */
  async begin(entries: readonly LogEntry[]): Promise<void> {
    this.#sharing.clear()
    this.#encrypted.clear()
    if (this.wanting.length === 0) return
    const changed = new Set<string>()
    for (const entry of entries)
      if (entry.kind === 'device_list' && entry.signedUserId === undefined) changed.add(entry.userId)
    if (changed.size === 0) return
    for (const one of this.wanting) {
      this.#sharing.set(one, new Set(await listSharingAppservice(this.#deps.db, one.nid, [...changed])))
    }
  }

  /** Who has a user in the room of a membership event; asked before the event is taken in. */
  membersBefore(event: StoredEvent): ReadonlySet<KnownAppservice> {
    if (event.type !== 'm.room.member' || this.wanting.length === 0) return NOBODY
    return new Set(this.wanting.filter((one) => this.#deps.interest.holdsMember(one, event.roomNid)))
  }

  /** What an appservice is told because of an entry. @param before what `membersBefore` answered */
  async itemsOf(
    one: KnownAppservice,
    entry: LogEntry,
    before: ReadonlySet<KnownAppservice>,
  ): Promise<EncryptionItem[]> {
    switch (entry.kind) {
      case 'event':
        return isShown(entry.event) ? this.#ofEvent(one, entry.event, before.has(one)) : []
      case 'to_device': {
        const hasIt =
          one.appservice.receivesEphemeral && (await findKeeper(this.#deps, entry.userId)) === one.appservice
        return hasIt ? [{ message: entry.position }] : []
      }
      case 'device_list': {
        const isOwn = isUserOf(this.#deps.registry, one.appservice, entry.userId)
        if (entry.signedUserId !== undefined) return isOwn ? [{ changed: entry.signedUserId }] : []
        return isOwn || this.#sharing.get(one)?.has(entry.userId) === true ? [{ changed: entry.userId }] : []
      }
      case 'room_whole': {
        const isIn = (await this.#isIn(one, entry)) && (await this.#isEncrypted(entry.roomNid))
        return isIn ? [{ met: entry.roomNid }] : []
      }
      default:
        return []
    }
  }

  /** Whose devices matter begins with encryption, and with coming into an encrypted room; it ends with leaving one. */
  async #ofEvent(one: KnownAppservice, event: StoredEvent, wasIn: boolean): Promise<EncryptionItem[]> {
    const { type, stateKey, roomNid } = event
    if (type === 'm.room.encryption' && stateKey === '') {
      return (await this.#isIn(one, event)) ? [{ met: roomNid }] : []
    }
    if (type !== 'm.room.member' || stateKey === undefined) return []
    const isOwn = isUserOf(this.#deps.registry, one.appservice, stateKey)
    if (!isOwn && !(await this.#isIn(one, event))) return []
    const isJoined = event.content['membership'] === 'join'
    if (isJoined === ((await membershipBefore(this.#deps.rooms, event)) === 'join')) return []
    const userId = stateKey as UserId
    if (!isOwn && !isJoined) return [{ left: userId }]
    if (!(await this.#isEncrypted(roomNid))) return []
    if (isJoined) return [isOwn && !wasIn ? { met: roomNid } : { changed: userId }]
    return (await this.#isIn(one, event)) ? [] : [{ parted: roomNid }]
  }

  #isIn(one: KnownAppservice, room: Pick<StoredEvent, 'roomNid' | 'roomId'>): Promise<boolean> {
    return this.#deps.interest.hasMember(one, room)
  }

  /** As of now: whoever is late tells of devices in vain at most. */
  async #isEncrypted(roomNid: number): Promise<boolean> {
    const known = this.#encrypted.get(roomNid)
    if (known !== undefined) return known
    const { rooms } = this.#deps
    const room = await getRoomByNid(rooms, roomNid)
    const [state] = await readNewestState(rooms, room, [{ type: 'm.room.encryption', stateKey: '' }])
    this.#encrypted.set(roomNid, state !== undefined)
    return state !== undefined
  }
}
