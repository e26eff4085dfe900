import type { MemoryBudget } from '@causeway/store/cache/memory-budget.ts'
import type { Cache } from '@causeway/store/cache/lru.ts'
import type { Database, Step } from '@causeway/store/db/database.ts'
import type { StoredEvent } from '@causeway/store/log/entry.ts'
import {
  deleteAppserviceMember,
  findMemberInterest,
  hasOtherMember,
  insertAppserviceMember,
  listAliasesOfRooms,
} from '@causeway/store/tables/appservices.ts'
import type { KnownAppservice } from './known.ts'
import { isInNamespace, isUserOf, type AppserviceRegistry } from './registry.ts'

/** `unsure`: one of its members left, and whether others are there has not been asked yet. */
type ByMembers = 'yes' | 'unsure'

interface RoomStanding {
  /** By the room's id or one of its aliases. */
  readonly named: ReadonlySet<KnownAppservice>
  /** By a joined member; absent: no. */
  readonly members: Map<KnownAppservice, ByMembers>
}

/** What the events of one batch change about members: joined or not, by room, appservice and user; not yet stored. */
type MemberChanges = Map<number, Map<KnownAppservice, Map<string, boolean>>>

/**
 * Which rooms' events an appservice wants: from an index of members in its namespaces, kept in the order of the
 * log, and never from a scan of members. https://spec.matrix.org/v1.19/application-service-api/#registration
 */
export class RoomInterest {
  readonly #db: Database
  readonly #registry: AppserviceRegistry
  readonly #known: readonly KnownAppservice[]
  readonly #rooms: Cache<number, RoomStanding>
  readonly #usesAliases: boolean
  #changes: MemberChanges = new Map()
  /** Grows when aliases or members change: what was read before is not kept. */
  #generation = 0

  constructor(
    deps: { readonly db: Database; readonly budget: MemoryBudget; readonly registry: AppserviceRegistry },
    known: readonly KnownAppservice[],
  ) {
    this.#db = deps.db
    this.#registry = deps.registry
    this.#known = known
    this.#usesAliases = known.some(({ appservice }) => appservice.namespaces.aliases.length > 0)
    this.#rooms = deps.budget.cache({
      name: 'appservice_rooms',
      share: 0.01,
      weigh: ({ members }) => 300 + members.size * 60,
    })
  }

  /** Begins a batch: reads what is not known of its rooms, in two queries at most. */
  async begin(rooms: ReadonlyMap<number, string>): Promise<void> {
    // What was noted is in the tables now, and not in what others read of them before.
    if (this.#changes.size > 0) this.#generation++
    this.#changes = new Map()
    const missing = [...rooms.keys()].filter((roomNid) => this.#rooms.get(roomNid) === undefined)
    if (missing.length === 0) return
    await this.#load(rooms, missing)
  }

  /** Forgets what it holds: a batch came to nothing, and what it noted with it. */
  clear(): void {
    this.#generation++
    this.#changes = new Map()
    this.#rooms.clear()
  }

  /** A room's aliases changed: its standing is read again. */
  aliasesChanged(roomNid: number): void {
    this.#generation++
    this.#rooms.delete(roomNid)
  }

  /** Takes in a membership event, in the order of the log. */
  apply(event: StoredEvent): void {
    if (event.type !== 'm.room.member' || event.stateKey === undefined) return
    const joined = event.content['membership'] === 'join'
    for (const one of this.#known) {
      if (!isUserOf(this.#registry, one.appservice, event.stateKey)) continue
      this.#generation++
      const room = this.#changes.get(event.roomNid) ?? new Map<KnownAppservice, Map<string, boolean>>()
      const users = room.get(one) ?? new Map<string, boolean>()
      this.#changes.set(event.roomNid, room.set(one, users.set(event.stateKey, joined)))
      const standing = this.#rooms.peek(event.roomNid)
      if (joined) standing?.members.set(one, 'yes')
      else if (standing?.members.has(one) === true) standing.members.set(one, 'unsure')
    }
  }

  /**
   * Whether an appservice wants a room's events at this point of the log. A query only after a member left. May be asked
   * beside the batch under way; what is read so is kept only where the batch has changed nothing meanwhile.
   */
  async wants(one: KnownAppservice, event: Pick<StoredEvent, 'roomNid' | 'roomId'>): Promise<boolean> {
    const standing = await this.#standingOf(event)
    return standing.named.has(one) || this.hasMember(one, event)
  }

  /** The same of those who have a user in the room, whatever the room is called. */
  async hasMember(one: KnownAppservice, event: Pick<StoredEvent, 'roomNid' | 'roomId'>): Promise<boolean> {
    const { roomNid } = event
    const standing = await this.#standingOf(event)
    if (standing.members.get(one) !== 'unsure') return standing.members.has(one)
    const changed = this.#changes.get(roomNid)?.get(one) ?? new Map<string, boolean>()
    const generation = this.#generation
    const isThere =
      [...changed.values()].includes(true) ||
      (await hasOtherMember(this.#db, roomNid, one.nid, [...changed.keys()]))
    if (generation !== this.#generation) return isThere
    if (isThere) standing.members.set(one, 'yes')
    else standing.members.delete(one)
    return isThere
  }

  /** Whether it is known, without a look into the tables, that an appservice has a user in a room. */
  holdsMember(one: KnownAppservice, roomNid: number): boolean {
    return this.#rooms.peek(roomNid)?.members.get(one) === 'yes'
  }

  /** What of the batch has to be stored, together with the cursor's position. */
  steps(): Step[] {
    const steps: Step[] = []
    for (const [roomNid, room] of this.#changes) {
      for (const [{ nid }, users] of room) {
        for (const [userId, joined] of users) {
          const change = joined ? insertAppserviceMember : deleteAppserviceMember
          steps.push(change(roomNid, nid, userId))
        }
      }
    }
    return steps
  }

  async #standingOf({ roomNid, roomId }: Pick<StoredEvent, 'roomNid' | 'roomId'>): Promise<RoomStanding> {
    return this.#rooms.get(roomNid) ?? (await this.#load(new Map([[roomNid, roomId]]), [roomNid]))
  }

  /** Returns the standing of the first of `missing`. */
  async #load(rooms: ReadonlyMap<number, string>, missing: readonly number[]): Promise<RoomStanding> {
    const generation = this.#generation
    const [members, aliases] = await Promise.all([
      findMemberInterest(this.#db, missing),
      this.#usesAliases ? listAliasesOfRooms(this.#db, missing) : [],
    ])
    const standings = missing.map((roomNid): RoomStanding => {
      const names = aliases.filter((row) => row.room_nid === roomNid).map((row) => row.alias)
      const nids = new Set(members.filter((row) => row.room_nid === roomNid).map((row) => row.appservice_nid))
      const standing: RoomStanding = {
        named: new Set(this.#known.filter((one) => this.#isNamed(one, rooms.get(roomNid)!, names))),
        members: new Map(this.#known.filter(({ nid }) => nids.has(nid)).map((one) => [one, 'yes'])),
      }
      // Shed within the batch, or its aliases changed: what was noted of it is applied again.
      for (const [one, users] of this.#changes.get(roomNid) ?? []) {
        standing.members.set(one, [...users.values()].includes(true) ? 'yes' : 'unsure')
      }
      if (generation === this.#generation) this.#rooms.set(roomNid, standing)
      return standing
    })
    return standings[0]!
  }

  #isNamed({ appservice }: KnownAppservice, roomId: string, aliases: readonly string[]): boolean {
    return (
      isInNamespace(appservice, 'rooms', roomId) ||
      aliases.some((alias) => isInNamespace(appservice, 'aliases', alias))
    )
  }
}
