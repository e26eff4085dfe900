import { Type } from 'typebox'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { ServerName } from '@causeway/matrix/ids/ids.ts'
import { summarizeUnsent } from '@causeway/store/tables/outbound.ts'
import { listKeyDocuments } from '@causeway/store/tables/server-keys.ts'
import type { Homeserver } from '../../homeserver.ts'
import { defineAdminCommand } from '../command.ts'
import { readServerName, serverOption, viewDestination } from '../destination-view.ts'
import { formatTime } from '../job-view.ts'

async function discover({ federation }: Homeserver, name: ServerName): Promise<JsonObject> {
  try {
    const { targets, steps } = await federation.discovery.find(name)
    return { found_at: targets.map(({ host, port }) => `${host}:${port}`), found_by: [...steps] }
  } catch (error) {
    return { found_at: [], found_by: [error instanceof Error ? error.message : String(error)] }
  }
}

async function probe({ federation, clock }: Homeserver, server: ServerName): Promise<JsonObject> {
  const begun = clock.monotonic()
  try {
    const answer = await federation.client.request(server, {
      method: 'GET',
      path: '/_matrix/federation/v1/version',
      evenIfBackingOff: true,
    })
    return {
      answers: true,
      after_ms: Math.round(clock.monotonic() - begun),
      version: answer['server'] ?? null,
    }
  } catch (error) {
    return { answers: false, reason: error instanceof Error ? error.message : String(error) }
  }
}

/** What it has not got yet: see `federation queue show` for more. */
async function readUnsent({ db, outbound, clock }: Homeserver, server: ServerName): Promise<JsonObject> {
  const [unsent] = await summarizeUnsent(db, server, 1)
  const state = outbound.states().find((one) => one.server === server)
  return {
    unsent_rooms: Number(unsent?.rooms ?? 0),
    unsent_messages_to_devices: Number(unsent?.messages ?? 0),
    sending: state?.phase ?? null,
    waiting_s: state === undefined ? null : Math.round(Math.max(0, clock.now() - state.since) / 1000),
  }
}

export const command = defineAdminCommand({
  usage: '<server>',
  summary: 'Show where another server is, which keys of it are known, and whether it answers',
  input: Type.Object({
    server: serverOption,
    probe: Type.Optional(Type.Boolean({ description: 'Ask it now, even while it is left alone' })),
  }),
  run: async (hs, { server, probe: wanted = false }) => {
    const name = readServerName(server)
    const answer = wanted ? await probe(hs, name) : undefined
    const failing = await hs.federation.destinations.find(name)
    const keys = await listKeyDocuments(hs.db, name)
    return {
      server: name,
      allowed: hs.federation.filter.isAllowed(name),
      ...(await discover(hs, name)),
      ...(answer === undefined ? {} : { probe: answer }),
      ...(await readUnsent(hs, name)),
      failing: failing === undefined ? null : viewDestination(failing),
      keys: keys.map((key) => ({
        id: key.keyId,
        ...(key.expiredTs === 0
          ? { valid_until: formatTime(key.validUntilTs) }
          : { retired: formatTime(key.expiredTs) }),
        told_by: key.notary === '' ? 'itself' : key.notary,
      })),
    }
  },
})
