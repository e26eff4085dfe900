import { readFile } from 'node:fs/promises'
import type { HomeserverConfig } from '../config.ts'
import type { ListenAddress } from './listen.ts'

type ListenerConfig = HomeserverConfig['listeners'][number]

async function readPem(file: string): Promise<string> {
  return await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new Error(`Cannot read ${file}, which a listener names for TLS`, { cause })
  })
}

async function readListener(listener: ListenerConfig): Promise<ListenAddress> {
  const { host = '127.0.0.1', port = 8008, socket, mode, tls_cert: cert, tls_key: key } = listener
  if (socket !== undefined) {
    return { path: socket, ...(mode === undefined ? {} : { mode: Number.parseInt(mode, 8) }) }
  }
  if (cert === undefined || key === undefined) return { host, port }
  return { host, port, tls: { cert: await readPem(cert), key: await readPem(key) } }
}

/** Where the configuration says to listen, with certificates read. @throws for a file that cannot be read */
export async function readListenAddresses(
  config: Pick<HomeserverConfig, 'listeners'>,
): Promise<ListenAddress[]> {
  return await Promise.all(config.listeners.map(readListener))
}
