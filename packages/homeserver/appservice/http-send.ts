import { request as httpRequest, Agent as HttpAgent, type IncomingMessage } from 'node:http'
import { request as httpsRequest, Agent as HttpsAgent } from 'node:https'
import type { Clock } from '@causeway/store/clock/clock.ts'

export interface OutgoingRequest {
  readonly method: 'GET' | 'PUT' | 'POST'
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  /** JSON text. */
  readonly body?: string
  /** Until the whole answer is there. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
}

export interface OutgoingResponse {
  readonly status: number
  /** At most `MAX_ANSWER` characters; the rest of a longer answer was left unread. */
  readonly text: string
}

/** Sends a request to an appservice. Rejects with `OutgoingTimeout`, or with the system's error. */
export type SendHttp = (request: OutgoingRequest) => Promise<OutgoingResponse>

/** Nothing answered in time. */
export class OutgoingTimeout extends Error {
  override readonly name = 'OutgoingTimeout'
}

/** Answers of appservices are `{}` or an error; more is not looked at. */
const MAX_ANSWER = 64 * 1024

/** A sender over keep-alive connections of its own; disposing of it closes them. */
export function createHttpSender(clock: Clock): { readonly send: SendHttp } & Disposable {
  const agents = {
    'http:': new HttpAgent({ keepAlive: true }),
    'https:': new HttpsAgent({ keepAlive: true }),
  }
  return {
    send: (input) => sendHttp(clock, agents, input),
    [Symbol.dispose]() {
      for (const agent of Object.values(agents)) agent.destroy()
    },
  }
}

async function sendHttp(
  clock: Clock,
  agents: { 'http:': HttpAgent; 'https:': HttpsAgent },
  { method, url, headers, body, timeoutMs, signal }: OutgoingRequest,
): Promise<OutgoingResponse> {
  const target = new URL(url)
  const isTls = target.protocol === 'https:'
  const stop = new AbortController()
  const timer = clock.setTimeout(() => {
    stop.abort(new OutgoingTimeout(`no answer within ${timeoutMs / 1000} s`))
  }, timeoutMs)
  const abort = (): void => stop.abort(signal?.reason)
  signal?.addEventListener('abort', abort, { once: true })
  if (signal?.aborted === true) abort()
  try {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }
      const options = { method, headers: { ...headers, ...length }, signal: stop.signal }
      const outgoing = isTls
        ? httpsRequest(target, { ...options, agent: agents['https:'] }, resolve)
        : httpRequest(target, { ...options, agent: agents['http:'] }, resolve)
      outgoing.on('error', reject)
      outgoing.end(body)
    })
    return { status: response.statusCode ?? 0, text: await readAnswer(response) }
  } catch (error) {
    throw stop.signal.aborted ? stop.signal.reason : error
  } finally {
    timer.cancel()
    signal?.removeEventListener('abort', abort)
  }
}

async function readAnswer(response: IncomingMessage): Promise<string> {
  response.setEncoding('utf8')
  let text = ''
  for await (const chunk of response as AsyncIterable<string>) {
    text += chunk
    if (text.length > MAX_ANSWER) return text.slice(0, MAX_ANSWER)
  }
  return text
}
