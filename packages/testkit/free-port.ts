import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'

/** Ports that a system gives to outgoing connections where it does not say which. */
const USUAL_FIRST = 32_768
/** How far below these a port is looked for. */
const SPAN = 15_000
const TRIES = 100

function firstEphemeral(): number {
  try {
    return Number(readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').split(/\s/)[0])
  } catch {
    return USUAL_FIRST
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, '127.0.0.1')
  try {
    await once(server, 'listening')
    return true
  } catch {
    return false
  } finally {
    server.close()
  }
}

/**
 * A port of loopback that is free, for a server that is told its port, or that comes back to it after a restart. Not
 * one of those that the system chooses: these it also gives to outgoing connections, of other tests too, while nobody
 * listens there.
 */
export async function freePort(): Promise<number> {
  const end = firstEphemeral()
  for (let tries = 0; tries < TRIES; tries++) {
    const port = randomInt(Math.max(1_024, end - SPAN), end)
    if (await isFree(port)) return port
  }
  throw new Error(`no free port was found below ${end}`)
}
