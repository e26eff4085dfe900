import { Agent as PlainAgent } from 'node:http'
import { Agent } from 'node:https'
import type { Duplex } from 'node:stream'

/** How long a connection that nobody uses is kept. */
const IDLE_MS = 60_000
/** Idle connections kept in all, whoever they lead to: beyond, the one idle for longest is closed. */
const MAX_IDLE = 256
/** At once to one host and port. */
const MAX_PER_HOST = 16

/** As Node calls these two; its types leave out what they answer. */
interface Poolable {
  keepSocketAlive(socket: Duplex): boolean
  reuseSocket(socket: Duplex, request: unknown): void
}

const OPTIONS = {
  keepAlive: true,
  timeout: IDLE_MS,
  maxSockets: MAX_PER_HOST,
  maxFreeSockets: 4,
  scheduling: 'lifo',
} as const

/**
 * An agent that keeps connections open for the next request, bounded over all hosts together: Node's own bounds
 * count per host, and there are as many hosts as strangers have names.
 */
export function createPool(): Agent {
  return boundIdle(new Agent(OPTIONS))
}

/** The same without TLS. */
export function createPlainPool(): PlainAgent {
  return boundIdle(new PlainAgent(OPTIONS))
}

function boundIdle<A extends PlainAgent>(agent: A): A {
  const pool = agent as unknown as Poolable
  const idle = new Set<Duplex>()
  const watched = new WeakSet<Duplex>()
  const keep = pool.keepSocketAlive.bind(agent)
  const reuse = pool.reuseSocket.bind(agent)
  pool.keepSocketAlive = (socket) => {
    if (!keep(socket)) return false
    idle.add(socket)
    if (!watched.has(socket)) socket.once('close', () => idle.delete(socket))
    watched.add(socket)
    if (idle.size > MAX_IDLE) for (const oldest of [...idle].slice(0, idle.size - MAX_IDLE)) oldest.destroy()
    return true
  }
  pool.reuseSocket = (socket, request) => {
    idle.delete(socket)
    reuse(socket, request)
  }
  return agent
}
