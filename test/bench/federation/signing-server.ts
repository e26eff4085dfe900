import { once } from 'node:events'
import { Agent, createServer, request } from 'node:https'
import { text } from 'node:stream/consumers'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { ServerName, UserId } from '@causeway/matrix/ids/ids.ts'
import { canonicalJson } from '@causeway/matrix/json/canonical.ts'
import { signJson } from '@causeway/matrix/signing/sign-json.ts'
import { signRequest } from '@causeway/homeserver/federation/client/sign-request.ts'
import type { TestAuthority } from '@causeway/testkit/certificates.ts'
import { makeSigner } from '@causeway/testkit/matrix/ed25519.ts'

/** A request that is signed already, so that sending it costs next to nothing. */
export interface SignedRequest {
  readonly port: number
  readonly method: string
  readonly uri: string
  readonly authorization: string
  readonly body: string | undefined
}

export interface Answer {
  readonly status: number
  readonly body: JsonObject
}

/** Who is asked: a server on loopback. */
export interface Destination {
  readonly serverName: string
  readonly federationPort: number
}

/** What it answers when it is asked for something that is not its key; undefined: it does not know. */
export type Respond = (method: string, path: string, body: string) => JsonObject | undefined

/** A homeserver as far as others can tell: a name, a key, an address. */
export interface SigningServer extends AsyncDisposable {
  readonly name: ServerName
  readonly signer: ReturnType<typeof makeSigner>
  user(localpart: string): UserId
  /** Signs a request beforehand. */
  prepare(to: Destination, method: string, uri: string, body?: JsonObject): SignedRequest
  send(prepared: SignedRequest): Promise<Answer>
  /** Signs and sends; throws for anything but 200. */
  call(to: Destination, method: string, uri: string, body?: JsonObject): Promise<JsonObject>
}

const DAY_MS = 24 * 60 * 60_000

function keyAnswer(signer: ReturnType<typeof makeSigner>): JsonObject {
  const answer: JsonObject = {
    server_name: signer.serverName,
    verify_keys: { [signer.keyId]: { key: signer.publicKey } },
    old_verify_keys: {},
    valid_until_ts: Date.now() + DAY_MS,
  }
  return signJson(answer, signer)
}

export interface SigningServerOptions {
  readonly authority: TestAuthority
  readonly port: number
  /** 32 bytes in base64: the same seed, the same key. */
  readonly seed: string
  readonly respond?: Respond
}

/** Starts it on loopback, with a certificate of the authority. */
export async function startSigningServer(options: SigningServerOptions): Promise<SigningServer> {
  const { authority, port, seed, respond = () => undefined } = options
  const name = `127.0.0.1:${port}`
  const signer = makeSigner(name, 'ed25519:bench', seed)
  const { key, certificate } = authority.issue('127.0.0.1')
  const listener = createServer({ key, cert: certificate }, (incoming, outgoing) => {
    void text(incoming).then((body) => {
      const path = incoming.url ?? ''
      const answer = path.startsWith('/_matrix/key/v2/server')
        ? keyAnswer(signer)
        : respond(incoming.method ?? '', path, body)
      outgoing.writeHead(answer === undefined ? 404 : 200, { 'content-type': 'application/json' })
      outgoing.end(JSON.stringify(answer ?? { errcode: 'M_NOT_FOUND', error: 'Not here' }))
    })
  })
  listener.listen(port, '127.0.0.1')
  await once(listener, 'listening')
  const agent = new Agent({ keepAlive: true, ca: authority.certificate })
  const server: SigningServer = {
    name: name as ServerName,
    signer,
    user: (localpart) => `@${localpart}:${name}` as UserId,
    prepare(to, method, uri, body) {
      const content = body === undefined ? undefined : canonicalJson(body)
      const authorization = signRequest(signer, to.serverName as ServerName, { method, uri, content })
      return { port: to.federationPort, method, uri, authorization, body: content }
    },
    async send({ port: toPort, method, uri, authorization, body }) {
      const outgoing = request({ host: '127.0.0.1', port: toPort, agent, method, path: uri })
      outgoing.setHeader('authorization', authorization)
      if (body !== undefined) outgoing.setHeader('content-type', 'application/json')
      outgoing.end(body)
      const [incoming] = await once(outgoing, 'response')
      return { status: incoming.statusCode, body: JSON.parse(await text(incoming)) as JsonObject }
    },
    async call(to, method, uri, body) {
      const answer = await server.send(server.prepare(to, method, uri, body))
      if (answer.status !== 200) throw new Error(`${method} ${uri}: ${JSON.stringify(answer)}`)
      return answer.body
    },
    async [Symbol.asyncDispose]() {
      agent.destroy()
      listener.close()
      listener.closeAllConnections()
      await once(listener, 'close')
    },
  }
  return server
}
