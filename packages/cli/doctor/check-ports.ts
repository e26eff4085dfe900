import { createServer } from 'node:net'
import { get } from 'node:http'
import type { HomeserverConfig } from '@causeway/homeserver/config.ts'
import { fail, ok, type Finding } from './finding.ts'

type Listener = HomeserverConfig['listeners'][number]

/** The code of the error that listening there gives; undefined when it works. */
function tryListen(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    server.listen({ host, port }, () => server.close(() => resolve(undefined)))
  })
}

/** Whether what already listens there is a Matrix server: most likely this one. */
function isMatrixServer(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const outgoing = get({ host, port, path: '/_matrix/client/versions', timeout: 2000 }, (answer) => {
      answer.resume()
      resolve(answer.statusCode === 200)
    })
    outgoing.on('error', () => resolve(false))
    outgoing.on('timeout', () => outgoing.destroy())
  })
}

async function checkPort({ host = '127.0.0.1', port }: Listener): Promise<Finding> {
  if (port === undefined || port === 0) return ok('Listener: needs no fixed port')
  const code = await tryListen(host, port)
  const where = `${host}:${port}`
  if (code === undefined) return ok(`Listener: ${where} is free`)
  if (code === 'EADDRINUSE' && (await isMatrixServer(host, port))) {
    return ok(`Listener: a Matrix server answers at ${where} already`)
  }
  if (code === 'EADDRINUSE') return fail(`Listener: another program has ${where}`)
  if (code === 'EACCES')
    return fail(`Listener: this user may not listen on ${where}; ports below 1024 need a right`)
  return fail(`Listener: ${where} cannot be had (${code})`)
}

/** Whether the addresses of the listeners can be had. */
export async function checkPorts(config: HomeserverConfig): Promise<Finding[]> {
  return await Promise.all(config.listeners.map(checkPort))
}
