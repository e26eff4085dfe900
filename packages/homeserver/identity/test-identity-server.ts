import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { TestAuthority } from '@causeway/testkit/certificates.ts'

// Test support: an identity server that answers as a test says, for what no real one does.

export interface AskedIdentity {
  readonly method: string
  /** Below `/_matrix/identity/v2`. */
  readonly path: string
  readonly authorization: string
  readonly body: JsonObject
}

/** An answer as JSON with its status; or whatever a test does with the response itself. */
export type IdentityAnswer =
  | readonly [status: number, json: JsonObject]
  | ((response: ServerResponse) => void)

export interface TestIdentityServer extends AsyncDisposable {
  /** `localhost` with a port. */
  readonly name: string
  /** All requests so far. */
  readonly asked: AskedIdentity[]
  /** By path; a list is used up, one answer after another. What has none is answered with 404. */
  readonly answers: Map<string, IdentityAnswer | IdentityAnswer[]>
}

function isList(set: IdentityAnswer | IdentityAnswer[] | undefined): set is IdentityAnswer[] {
  return Array.isArray(set) && typeof set[0] !== 'number'
}

const PREFIX = '/_matrix/identity/v2'

export async function startIdentityServer(authority: TestAuthority): Promise<TestIdentityServer> {
  const asked: AskedIdentity[] = []
  const answers: TestIdentityServer['answers'] = new Map()
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await text(request)
    const path = (request.url ?? '').slice(PREFIX.length)
    asked.push({
      method: request.method ?? '',
      path,
      authorization: request.headers.authorization ?? '',
      body: body === '' ? {} : (JSON.parse(body) as JsonObject),
    })
    const set = answers.get(path)
    const one = isList(set) ? set.shift() : set
    if (typeof one === 'function') return one(response)
    const [status, json] = one ?? [404, { errcode: 'M_UNRECOGNIZED', error: 'no answer is set' }]
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(json))
  }
  const { key, certificate: cert } = authority.issue('localhost', '127.0.0.1')
  const server = createServer({ key, cert }, (request, response) => {
    answer(request, response).catch(() => response.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    name: `localhost:${(server.address() as AddressInfo).port}`,
    asked,
    answers,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}
