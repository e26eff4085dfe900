import path from 'node:path'
import { callAdmin } from '@causeway/cli/admin/call-admin.ts'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { makeAuthority } from '@causeway/testkit/certificates.ts'
import { startCauseway } from '@causeway/testkit/causeway.ts'
import { matrixPerson, type MatrixPerson, type PersonOptions } from '@causeway/testkit/matrix-person.ts'
import { freePort } from '@causeway/testkit/free-port.ts'
import { startSynapse, type SynapseAbsent } from '@causeway/testkit/synapse.ts'
import { openWire } from '@causeway/testkit/wire.ts'

/** One of the two servers, and how people come to it. */
export interface Side {
  readonly kind: 'Causeway' | 'Synapse'
  readonly url: string
  readonly serverName: string
  /** Somebody new there, who syncs until the servers are disposed of. */
  person(name: string, options?: PersonOptions): Promise<MatrixPerson>
  log(): string
}

/** The real Causeway and a real Synapse, each a process of its own, with TLS between them. */
export interface TwoServers extends AsyncDisposable {
  readonly causeway: Side
  readonly synapse: Side
  /** Cuts the network between them, in both directions, until `mend`. */
  part(): Promise<void>
  mend(): Promise<void>
  /** Gives Causeway an admin command. */
  giveCauseway(command: string, input: JsonObject): Promise<JsonObject>
  /** Ends Causeway as a crash would, and starts it anew. */
  crashCauseway(): Promise<void>
}

export interface TwoServersOptions {
  /** A PostgreSQL for Causeway, instead of SQLite. */
  readonly databaseUrl?: string
}

/** After a failure it tries again at once, and people are seen to be there. */
const SYNAPSE_LINES = [
  'ip_range_blacklist: []',
  'federation: {destination_min_retry_interval: 1s, destination_max_retry_interval: 2s, max_short_retry_delay: 1s, max_long_retry_delay: 2s}',
  'room_list_publication_rules: [{action: allow}]',
  'presence: {enabled: true}',
  'rc_presence: {per_user: {per_second: 100000, burst_count: 100000}}',
  'federation_rr_transactions_per_room_per_second: 9999',
]

let people = 0

/** Starts both, or says why there is no Synapse here. Their names are where they can be reached. */
export async function startTwoServers(options: TwoServersOptions = {}): Promise<TwoServers | SynapseAbsent> {
  await using starting = new AsyncDisposableStack()
  const authority = makeAuthority()
  const [toCauseway, toSynapse] = [starting.use(await openWire()), starting.use(await openWire())]
  const synapse = await startSynapse({
    authority,
    serverName: `127.0.0.1:${toSynapse.port}`,
    extra: SYNAPSE_LINES,
  })
  if ('skip' in synapse) return synapse
  starting.use(synapse)
  toSynapse.leadTo(synapse.federationPort)
  const port = await freePort()
  toCauseway.leadTo(port)
  const federation = { port, own: authority.issue('127.0.0.1'), authority: authority.certificate }
  const causeway = starting.use(
    await startCauseway({ serverName: `127.0.0.1:${toCauseway.port}`, federation, ...options }),
  )
  const all = starting.move()
  const sideOf = (kind: Side['kind'], server: Pick<Side, 'url' | 'serverName' | 'log'>): Side => ({
    kind,
    url: server.url,
    serverName: server.serverName,
    log: () => server.log(),
    person: async (name, personOptions) =>
      all.use(await matrixPerson(server.url, `${name}${++people}`, personOptions)),
  })
  return {
    causeway: sideOf('Causeway', causeway),
    synapse: sideOf('Synapse', synapse),
    part: async () => {
      await Promise.all([toCauseway.cut(), toSynapse.cut()])
    },
    mend: async () => {
      await Promise.all([toCauseway.mend(), toSynapse.mend()])
    },
    giveCauseway: async (command, input) => {
      const socket = path.join(causeway.folder, 'admin.sock')
      return (await callAdmin({ socket }, command, input)) as JsonObject
    },
    crashCauseway: async () => {
      await causeway.kill()
      await causeway.start()
    },
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  }
}
