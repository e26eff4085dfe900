import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import { signerOf } from './evil-server.ts'
import { redirect } from './manners.ts'
import { ROAD_HOSTS, type World } from './world.ts'

/** Listens where no server of a stranger's may send us: loopback that the configuration does not allow. */
export interface Canary extends AsyncDisposable {
  readonly v4: string
  /** Undefined where the machine has no IPv6. */
  readonly v6: string | undefined
  readonly connections: string[]
}

export async function startCanary(): Promise<Canary> {
  const connections: string[] = []
  const listen = async (address: string): Promise<Server | undefined> => {
    const server = createServer((socket) => {
      connections.push(`${address} from ${socket.remoteAddress}`)
      socket.destroy()
    })
    server.listen(0, address)
    try {
      await once(server, 'listening')
      return server
    } catch {
      return undefined
    }
  }
  const [v4, v6] = [(await listen('127.0.0.2'))!, await listen('::1')]
  const portOf = (server: Server): number => (server.address() as { port: number }).port
  return {
    v4: `127.0.0.2:${portOf(v4)}`,
    v6: v6 === undefined ? undefined : `[::1]:${portOf(v6)}`,
    connections,
    async [Symbol.asyncDispose]() {
      for (const server of [v4, v6]) {
        if (server === undefined) continue
        server.close()
        await once(server, 'close')
      }
    },
  }
}

/** Every way on which a name of a stranger's may lead to a place behind the firewall. */
export async function leadToPrivatePlaces(world: World, canary: Canary): Promise<void> {
  const { evil, dns, ours, alice } = world
  const [v4Port, v6Port] = [canary.v4.split(':').at(-1)!, canary.v6?.split(':').at(-1) ?? '1']
  const honest = evil.answer
  dns.names.set('private.test', { addresses: ['127.0.0.2', '::1'] })
  const wellKnown = new Map<string, { to?: string; redirectTo?: string }>()
  const names: string[] = [
    canary.v4,
    `[::ffff:127.0.0.2]:${v4Port}`,
    `private.test:${v4Port}`,
    ...(canary.v6 === undefined ? [] : [canary.v6, `private.test:${v6Port}`]),
  ]
  const roads = [...ROAD_HOSTS]
  const road = (said: { to?: string; redirectTo?: string }): void => {
    const host = roads.shift()!
    wellKnown.set(host, said)
    names.push(host)
  }
  for (const to of [
    canary.v4,
    `private.test:${v4Port}`,
    `[::ffff:7f00:2]:${v4Port}`,
    ...(canary.v6 === undefined ? [] : [canary.v6]),
  ])
    road({ to })
  for (const redirectTo of [
    `https://${canary.v4}/x`,
    `https://private.test:${v4Port}/`,
    `http://${canary.v4}/`,
    `//${canary.v4}/`,
    `https://2130706434:${v4Port}/`,
  ])
    road({ redirectTo })
  const withSrv = roads.shift()!
  dns.names.set(`_matrix-fed._tcp.${withSrv}`, { srv: [{ target: 'private.test', port: Number(v4Port) }] })
  names.push(withSrv)
  evil.answer = (asked) => {
    if (asked.path !== '/.well-known/matrix/server') return honest(asked)
    const said = wellKnown.get(asked.host.split(':')[0]!)
    if (said?.redirectTo !== undefined) return redirect(said.redirectTo)
    return said?.to === undefined ? undefined : { json: { 'm.server': said.to } }
  }
  await Promise.all(
    names.map(async (name) => {
      // Signed requests make us ask for keys; people make us ask for profiles, rooms and media.
      const sent = evil.send(ours, 'GET', '/_matrix/federation/v1/version', undefined, {})
      await sent.catch(() => undefined)
      const origin = signerOf(name)
      const asked = evil.send(ours, 'GET', '/_matrix/federation/v1/publicRooms', undefined, { origin })
      world.judge(
        `a request by ${name}`,
        await asked.catch((error: unknown) => ({ status: 0, text: String(error) })),
      )
      await world.attack('our notary', 'GET', `/_matrix/key/v2/query/${encodeURIComponent(name)}`)
      for (const path of [
        `/_matrix/client/v3/profile/${encodeURIComponent(`@x:${name}`)}`,
        `/_matrix/client/v3/publicRooms?server=${encodeURIComponent(name)}`,
        `/_matrix/client/v3/directory/room/${encodeURIComponent(`#x:${name}`)}`,
        `/_matrix/client/v1/media/download/${encodeURIComponent(name)}/abc`,
      ]) {
        world.judge(`${path} of a private place`, await alice.call('GET', path), true)
      }
      const join = `/_matrix/client/v3/join/${encodeURIComponent('!x:evil.test')}?via=${encodeURIComponent(name)}`
      world.judge(`a join via ${name}`, await alice.call('POST', join, {}), true)
    }),
  )
  evil.answer = honest
  for (const connection of canary.connections) world.faults.push(`a connection to ${connection}`)
}
