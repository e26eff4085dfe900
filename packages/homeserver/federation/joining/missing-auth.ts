import type { EventId, ServerName } from '@causeway/matrix/ids/ids.ts'
import { findEventRows } from '@causeway/store/tables/events.ts'
import { verifyMany } from '../../rooms/join/verify-answer.ts'
import { findRoom } from '../../rooms/load-head.ts'
import { authIdsOf } from '../../rooms/receive/auth-lookup.ts'
import type { VerifiedPdu } from '../../rooms/receive/verify-pdus.ts'
import type { RoomInfo } from '../../rooms/stored-event.ts'
import { heldEvents } from './fetch-whole-state.ts'
import type { JoiningDeps } from './joining-deps.ts'

/** So many are looked for; a server that leaves out more has not answered. */
const MAX_MISSING = 30

/**
 * What permits our join and is not part of a resident server's answer, which need hold the auth chain of the state only:
 * a former membership of the same user, mostly. From what we hold, and else from that server. What nobody has is left out.
 */
export async function findMissingAuth(
  deps: JoiningDeps,
  room: Pick<RoomInfo, 'roomId' | 'rules'>,
  join: VerifiedPdu,
  { given, server }: { readonly given: readonly VerifiedPdu[]; readonly server: ServerName },
  signal?: AbortSignal,
): Promise<VerifiedPdu[]> {
  const seen = new Set<EventId>(given.map(({ event }) => event.eventId))
  const missingOf = (pdus: readonly VerifiedPdu[]): EventId[] => {
    const ids = new Set(pdus.flatMap(({ event }) => authIdsOf(room.rules, event)))
    return [...ids].filter((id) => !seen.has(id))
  }
  const found: VerifiedPdu[] = []
  for (let wanted = missingOf([join]); wanted.length > 0;) {
    const portion = wanted.slice(0, MAX_MISSING - found.length)
    for (const id of wanted) seen.add(id)
    const pdus = await look(deps, room, portion, server, signal)
    found.push(...pdus)
    wanted = missingOf(pdus)
  }
  return found
}

async function look(
  deps: JoiningDeps,
  { roomId, rules }: Pick<RoomInfo, 'roomId' | 'rules'>,
  ids: readonly EventId[],
  server: ServerName,
  signal: AbortSignal | undefined,
): Promise<VerifiedPdu[]> {
  const { peers } = deps.federation
  const known = await findRoom(deps.rooms, roomId)
  const rows = known === undefined || ids.length === 0 ? [] : await findEventRows(deps.db, [...ids])
  const held = known === undefined ? new Map<EventId, VerifiedPdu>() : heldEvents(known, rows)
  const fetched = await Promise.all(
    ids
      .filter((id) => !held.has(id))
      .map((id) =>
        peers.getEvent(server, id, signal).catch((error: unknown) => {
          signal?.throwIfAborted()
          deps.logger.info('what permits a join is not to be had', { room: roomId, server, error })
        }),
      ),
  )
  const json = fetched.filter((one) => one !== undefined)
  const verified = await verifyMany({ peers, clock: deps.clock }, { roomId, rules }, json, signal)
  return [...held.values(), ...verified.pdus]
}
