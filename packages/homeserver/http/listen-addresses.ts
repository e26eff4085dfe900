import type { HomeserverConfig } from '../config.ts'
import { readCertificate } from './certificate-files.ts'
import type { ListenAddress } from './listen.ts'

type ListenerConfig = HomeserverConfig['listeners'][number]

async function readListener(listener: ListenerConfig): Promise<ListenAddress> {
  const {
    host = '127.0.0.1',
    port = 8008,
    socket,
    mode,
    tls_cert: certFile,
    tls_key: keyFile,
    resources,
  } = listener
  const serves = resources === undefined ? {} : { resources }
  if (socket !== undefined) {
    return { path: socket, ...serves, ...(mode === undefined ? {} : { mode: Number.parseInt(mode, 8) }) }
  }
  if (certFile === undefined || keyFile === undefined) return { host, port, ...serves }
  return { host, port, ...serves, tls: await readCertificate({ certFile, keyFile }) }
}

/** Where the configuration says to listen, with certificates read. @throws for a file that cannot be read */
export async function readListenAddresses(
  config: Pick<HomeserverConfig, 'listeners'>,
): Promise<ListenAddress[]> {
  return await Promise.all(config.listeners.map(readListener))
}
