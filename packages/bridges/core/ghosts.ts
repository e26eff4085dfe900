import { Cache } from '@causeway/store/cache/lru.ts'
import type { Clock } from '@causeway/store/clock/clock.ts'
import type { Database } from '@causeway/store/db/database.ts'
import {
  deleteGhostMember,
  findGhost,
  listGhostMembers,
  setGhost,
  setGhostMember,
} from '@causeway/store/tables/bridge-ghosts.ts'
import type { GhostRecord } from '@causeway/store/tables/bridge-ghosts.ts'
import type { GhostIds } from './ghost-ids.ts'
import type { Link } from './links/registry.ts'
import { MatrixPortError } from './matrix-port.ts'
import type { MatrixPort } from './matrix-port.ts'
import type { RemotePerson } from './network.ts'

export interface GhostDeps {
  readonly db: Database
  readonly port: MatrixPort
  readonly ids: GhostIds
  readonly clock: Clock
}

const CACHE_BYTES = 2 * 1024 * 1024
const MAX_NAME = 100

/** The Matrix users that stand for people of the networks: made when first needed, and in rooms when first needed. */
export class Ghosts {
  readonly #deps: GhostDeps
  readonly #known = new Cache<string, GhostRecord>('bridge ghosts', CACHE_BYTES, () => 300)
  /** Portal → ghosts in its room. As large as the channels that are linked. */
  readonly #members = new Map<number, Set<string>>()

  constructor(deps: GhostDeps) {
    this.#deps = deps
  }

  async find(userId: string): Promise<GhostRecord | undefined> {
    return this.#known.get(userId) ?? (await findGhost(this.#deps.db, userId))
  }

  /** The ghosts in a portal's room. */
  async members(portalNid: number): Promise<ReadonlySet<string>> {
    return this.#membersOf(portalNid)
  }

  /** What is known of them without asking the database: false until a portal's ghosts were needed once. */
  isMember(portalNid: number, userId: string): boolean {
    return this.#members.get(portalNid)?.has(userId) ?? false
  }

  /** Makes sure that a person has a ghost, under their present name. Undefined where they cannot have one. */
  async ensure(link: Link, person: RemotePerson): Promise<string | undefined> {
    const { ids, port, db, clock } = this.#deps
    const { network, server } = link.portal
    const userId = ids.userIdOf(network, server, person.id)
    if (userId === undefined) return undefined
    const known = await this.find(userId)
    const displayName = person.name.slice(0, MAX_NAME)
    if (known?.displayName !== displayName) {
      if (known === undefined) await port.register(userId.slice(1, userId.indexOf(':')))
      await port.setDisplayName(userId, displayName)
      const createdTs = known?.createdTs ?? clock.now()
      const ghost: GhostRecord = { userId, network, server, remoteId: person.id, displayName, createdTs }
      await db.commit({ entries: [], steps: [setGhost(ghost)] })
      this.#known.set(userId, ghost)
    } else this.#known.set(userId, known)
    return userId
  }

  /** Makes sure that a person's ghost is in the room. Throws `MatrixPortError` where it may not be. */
  async ensureInRoom(link: Link, person: RemotePerson): Promise<string | undefined> {
    const userId = await this.ensure(link, person)
    if (userId === undefined || (await this.#membersOf(link.portal.nid)).has(userId)) return userId
    await this.join(link, userId)
    return userId
  }

  /** Brings a ghost into the room, invited by the bot where that is needed. */
  async join(link: Link, userId: string): Promise<void> {
    const { port, db } = this.#deps
    const { roomId, portal } = link
    try {
      await port.join(userId, roomId)
    } catch (error) {
      if (!(error instanceof MatrixPortError && error.status === 403)) throw error
      await port.setMembership(undefined, 'invite', { roomId, userId })
      await port.join(userId, roomId)
    }
    ;(await this.#membersOf(portal.nid)).add(userId)
    await db.commit({ entries: [], steps: [setGhostMember(portal.nid, userId, roomId)] })
  }

  /** Takes a ghost out of the room; nothing happens where it is not in it. */
  async leave(link: Link, userId: string, reason: string): Promise<void> {
    const { port } = this.#deps
    try {
      await port.leave(userId, link.roomId, reason)
    } catch (error) {
      // Not in the room, or the room is gone: it is where it should be.
      if (!(error instanceof MatrixPortError) || error.isTemporary) throw error
    }
    await this.forgetMember(link, userId)
  }

  /** Notes that a ghost is no longer in the room. */
  async forgetMember({ portal }: Link, userId: string): Promise<void> {
    ;(await this.#membersOf(portal.nid)).delete(userId)
    await this.#deps.db.commit({ entries: [], steps: [deleteGhostMember(portal.nid, userId)] })
  }

  /** A portal has another room, in which no ghost is; the caller sees to the database. */
  forgetRoom(portalNid: number): void {
    this.#members.set(portalNid, new Set())
  }

  /** Forgets who was in the room of a portal that is gone. */
  forgetPortal(portalNid: number): void {
    this.#members.delete(portalNid)
  }

  async #membersOf(portalNid: number): Promise<Set<string>> {
    const held = this.#members.get(portalNid)
    if (held !== undefined) return held
    const read = new Set(await listGhostMembers(this.#deps.db, portalNid))
    // Somebody else may have read them meanwhile, and changed them.
    const members = this.#members.get(portalNid) ?? read
    this.#members.set(portalNid, members)
    return members
  }
}
