import { makeAuthority } from '@causeway/testkit/certificates.ts'
import { startCauseway } from '@causeway/testkit/causeway.ts'
import { matrixPerson, type MatrixPerson, type PersonOptions } from '@causeway/testkit/matrix-person.ts'
import { freePort, startSynapse, type SynapseAbsent } from '@causeway/testkit/synapse.ts'
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
  /** Ends Causeway as a crash would, and starts it anew. */
  crashCauseway(): Promise<void>
}

export interface TwoServersOptions {
  /** A PostgreSQL for Causeway, instead of SQLite. */
  readonly databaseUrl?: string
}

let people = 0

/** Starts both, or says why there is no Synapse here. Their names are where they can be reached. */
export async function startTwoServers(options: TwoServersOptions = {}): Promise<TwoServers | SynapseAbsent> {
  await using starting = new AsyncDisposableStack()
  const authority = makeAuthority()
  const place = async () => {
    const wire = starting.use(await openWire())
    const port = await freePort()
    wire.leadTo(port)
    const own = authority.issue('127.0.0.1')
    return {
      wire,
      serverName: `127.0.0.1:${wire.port}`,
      federation: { port, own, authority: authority.certificate },
    }
  }
  const [here, there] = [await place(), await place()]
  const federation = { ...there.federation, serverName: there.serverName }
  const synapse = await startSynapse({ federation })
  if ('skip' in synapse) return synapse
  starting.use(synapse)
  const causeway = starting.use(await startCauseway({ ...here, ...options }))
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
      await Promise.all([here.wire.cut(), there.wire.cut()])
    },
    mend: async () => {
      await Promise.all([here.wire.mend(), there.wire.mend()])
    },
    crashCauseway: async () => {
      await causeway.kill()
      await causeway.start()
    },
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  }
}
