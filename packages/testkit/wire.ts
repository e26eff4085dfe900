import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { freePort } from './free-port.ts'

/** A line between others and a server of this machine that can be cut, as networks are. */
export interface Wire extends AsyncDisposable {
  /** Where others connect; stays the same. */
  readonly port: number
  /** Leads what comes in to this port of loopback from now on. */
  leadTo(port: number): void
  /** Ends every connection, and refuses new ones until `mend`. */
  cut(): Promise<void>
  mend(): Promise<void>
}

/** Bytes pass as they are: TLS is between the two ends. */
function join(incoming: Socket, outgoing: Socket): void {
  incoming.pipe(outgoing)
  outgoing.pipe(incoming)
  for (const [one, other] of [
    [incoming, outgoing],
    [outgoing, incoming],
  ] as const) {
    one.on('error', () => other.destroy())
    one.on('close', () => other.destroy())
  }
}

/** Opens a line on a port that was free; until `leadTo` it refuses. */
export async function openWire(): Promise<Wire> {
  const open = new Set<Socket>()
  let target: number | undefined
  const take = (incoming: Socket): void => {
    if (target === undefined) {
      incoming.destroy()
      return
    }
    const outgoing = connect(target, '127.0.0.1')
    for (const socket of [incoming, outgoing]) {
      open.add(socket)
      socket.once('close', () => open.delete(socket))
    }
    join(incoming, outgoing)
  }
  const server = createServer(take)
  const listen = async (port: number): Promise<void> => {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
  }
  const port = await freePort()
  await listen(port)
  const cut = async (): Promise<void> => {
    if (!server.listening) return
    const closed = once(server, 'close')
    server.close()
    for (const socket of open) socket.destroy()
    await closed
  }
  return {
    port,
    leadTo: (to) => void (target = to),
    cut,
    mend: async () => {
      if (!server.listening) await listen(port)
    },
    [Symbol.asyncDispose]: cut,
  }
}
