import type { Database, Step } from '@causeway/store/db/database.ts'
import {
  deleteAppserviceMembers,
  insertAppserviceMember,
  listAppservices,
  listLocalJoins,
  saveAppservice,
  type AppserviceRow,
} from '@causeway/store/tables/appservices.ts'
import type { Appservice } from './registration.ts'
import { isUserOf, type AppserviceRegistry } from './registry.ts'

/** A registered appservice with its number in the tables. */
export interface KnownAppservice {
  readonly nid: number
  readonly appservice: Appservice
}

/** Rows read, and written, at a time while the index of members is rebuilt. */
const STRETCH = 1_000

/** The part of a registration that says who its members are. */
function memberText({ sender, namespaces }: Appservice): string {
  return JSON.stringify([sender, namespaces.users.map(({ regex }) => regex)])
}

/**
 * Gives every registered appservice its number, and rebuilds the index of members of those that are new or
 * whose users changed. Before the dispatcher starts: nothing may be written meanwhile. Entries that the
 * dispatcher has still to read are applied to the new index once more, which leaves it right in the end.
 */
export async function prepareKnown(db: Database, registry: AppserviceRegistry): Promise<KnownAppservice[]> {
  const rows = new Map((await listAppservices(db)).map((row) => [row.appservice_id, row]))
  let lastNid = [...rows.values()].reduce((max, { nid }) => Math.max(max, nid), 0)
  const known = registry.list.map((appservice) => ({
    nid: rows.get(appservice.id)?.nid ?? ++lastNid,
    appservice,
  }))
  const changed = known.filter(({ appservice }) => hasChanged(appservice, rows.get(appservice.id)))
  const gone = [...rows.values()].filter(
    (row) => !registry.byId.has(row.appservice_id) && row.registration !== '',
  )
  await commit(
    db,
    [...changed, ...gone].map(({ nid }) => deleteAppserviceMembers(nid)),
  )
  if (changed.length > 0) await rebuild(db, registry, changed)
  // Last of all: what was interrupted before is done again at the next start.
  await commit(db, [
    ...changed.map(({ nid, appservice }) => saveAppservice(nid, appservice.id, memberText(appservice))),
    ...gone.map((row) => saveAppservice(row.nid, row.appservice_id, '')),
  ])
  return known
}

function hasChanged(appservice: Appservice, row: AppserviceRow | undefined): boolean {
  return row?.registration !== memberText(appservice)
}

async function rebuild(
  db: Database,
  registry: AppserviceRegistry,
  known: readonly KnownAppservice[],
): Promise<void> {
  let after = { roomNid: 0, userId: '' }
  for (;;) {
    const rows = await listLocalJoins(db, after, STRETCH)
    const steps: Step[] = []
    for (const { room_nid: roomNid, user_id: userId } of rows) {
      for (const { nid, appservice } of known) {
        if (isUserOf(registry, appservice, userId)) steps.push(insertAppserviceMember(roomNid, nid, userId))
      }
    }
    await commit(db, steps)
    const last = rows.at(-1)
    if (last === undefined || rows.length < STRETCH) return
    after = { roomNid: last.room_nid, userId: last.user_id }
  }
}

async function commit(db: Database, steps: readonly Step[]): Promise<void> {
  if (steps.length === 0) return
  const result = await db.commit({ entries: [], steps })
  if (!result.ok)
    throw new Error(`The tables of appservices refused a write (step ${result.step}: ${result.reason})`)
}
