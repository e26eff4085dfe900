import { request, type RequestOptions } from 'node:http'
import { text } from 'node:stream/consumers'
import type { JsonObject, JsonValue } from '@causeway/matrix/events/pdu.ts'

/** Where the admin listener is: the unix socket, or an address with the admin token. */
export type AdminTarget = { readonly socket: string } | { readonly url: string; readonly token: string }

/** The server refused the command, with its own sentence. */
export class AdminRefusal extends Error {
  override readonly name = 'AdminRefusal'
}

function optionsFor(target: AdminTarget, command: string): RequestOptions {
  const base = { method: 'POST', path: `/commands/${encodeURIComponent(command)}` }
  if ('socket' in target) return { ...base, socketPath: target.socket }
  const { hostname, port, protocol } = new URL(target.url)
  if (protocol !== 'http:')
    throw new AdminRefusal('The admin listener speaks http://, reach it through a tunnel')
  return { ...base, hostname, port, headers: { authorization: `Bearer ${target.token}` } }
}

function explain(target: AdminTarget, error: NodeJS.ErrnoException): Error {
  const where = 'socket' in target ? target.socket : target.url
  if (error.code === 'EACCES')
    return new AdminRefusal(`You may not open ${where}: run this as the server's user`)
  if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') {
    return new AdminRefusal(`No server answers at ${where}: is it running, and with this configuration?`)
  }
  return error
}

/** Has the running server carry out a command. @throws AdminRefusal with a sentence for the person */
export async function callAdmin(target: AdminTarget, command: string, input: JsonObject): Promise<JsonValue> {
  const options = optionsFor(target, command)
  const body = await new Promise<string>((resolve, reject) => {
    const outgoing = request(options, (incoming) => void text(incoming).then(resolve, reject))
    outgoing.on('error', (error) => reject(explain(target, error)))
    outgoing.end(JSON.stringify(input))
  })
  const answer = JSON.parse(body) as { result?: JsonValue; error?: string; errcode?: string }
  if (answer.errcode !== undefined) throw new AdminRefusal(`${answer.error} (${answer.errcode})`)
  return answer.result ?? null
}
