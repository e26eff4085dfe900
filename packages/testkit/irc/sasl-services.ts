import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:net'
import type { Inspircd } from './inspircd.ts'

/**
 * Accounts behind a real InspIRCd: a services server that speaks its server protocol (1205) and nothing but SASL
 * PLAIN and EXTERNAL. https://docs.inspircd.org/server/messages/
 */
export interface SaslServices extends AsyncDisposable {
  /** What clients tried, e.g. `PLAIN alice ok`. */
  readonly attempts: readonly string[]
  /** Brings people of this server into a channel; ending the link is a netsplit for them. */
  introduce(nicks: readonly string[], channel: string): void
}

export interface SaslAccounts {
  /** Account → password. */
  readonly passwords: Record<string, string>
  /** SHA-256 fingerprint (lower-case hex) of a client certificate → account. */
  readonly fingerprints?: Record<string, string>
}

/** The fingerprint InspIRCd reports for a PEM certificate. */
export function fingerprintOf(certificate: string): string {
  return new X509Certificate(certificate).fingerprint256.replaceAll(':', '').toLowerCase()
}

const SID = '00S'
const AGENT = `${SID}AAAAAA`

/** Links services to the server and waits until it offers SASL. */
export async function startSaslServices(server: Inspircd, accounts: SaslAccounts): Promise<SaslServices> {
  const socket = connect({ host: server.host, port: server.servicesPort })
  await once(socket, 'connect')
  const attempts: string[] = []
  const mechanisms = new Map<string, { mechanism: string; fingerprint: string; data: string }>()
  const { promise: linked, resolve, reject } = Promise.withResolvers<void>()
  const send = (line: string): void => void socket.write(`${line}\r\n`)

  const accountFor = ({
    mechanism,
    fingerprint,
    data,
  }: {
    mechanism: string
    fingerprint: string
    data: string
  }) => {
    if (mechanism === 'EXTERNAL') return accounts.fingerprints?.[fingerprint]
    const [, account = '', password] = Buffer.from(data, 'base64').toString().split('\0')
    return accounts.passwords[account] === password ? account : undefined
  }
  const decide = (sid: string, uid: string): void => {
    const attempt = mechanisms.get(uid)
    mechanisms.delete(uid)
    if (attempt === undefined) return
    const account = accountFor(attempt)
    attempts.push(`${attempt.mechanism} ${account ?? '-'} ${account === undefined ? 'refused' : 'ok'}`)
    if (account !== undefined) send(`:${SID} METADATA ${uid} accountname :${account}`)
    send(`:${SID} ENCAP ${sid} SASL ${AGENT} ${uid} D ${account === undefined ? 'F' : 'S'}`)
  }
  const onSasl = (sid: string, [uid = '', , step = '', data = '', fingerprint = '']: string[]): void => {
    if (step === 'S') {
      mechanisms.set(uid, { mechanism: data, fingerprint: fingerprint.replace(/^:/, ''), data: '' })
      send(`:${SID} ENCAP ${sid} SASL ${AGENT} ${uid} C +`)
    } else if (step === 'C') {
      const attempt = mechanisms.get(uid)
      if (attempt !== undefined && data !== '+') attempt.data += data
      // A full piece of 400 is followed by another.
      if (data.length < 400) decide(sid, uid)
    }
  }
  const onLine = (line: string): void => {
    const words = line.replace(/^@\S+ /, '').split(' ')
    const sid = (words[0] ?? '').slice(1)
    if (words[1] === 'PING') send(`:${SID} PONG ${SID} ${words[2] ?? ''}`)
    else if (words[1] === 'ENDBURST') resolve()
    else if (words[0] === 'ERROR') reject(new Error(line))
    else if (words[1] === 'ENCAP' && words[3] === 'SASL') onSasl(sid, words.slice(4))
  }
  let rest = ''
  socket.on('data', (chunk: Buffer) => {
    const parts = (rest + chunk.toString()).split('\n')
    rest = parts.pop() ?? ''
    for (const part of parts) onLine(part.trimEnd())
  })
  socket.on('error', reject)
  send('CAPAB START 1205')
  send('CAPAB END')
  send(`SERVER services.causeway.test link 0 ${SID} :test services`)
  const seconds = Math.floor(Date.now() / 1000)
  send(`:${SID} BURST ${seconds}`)
  send(`:${SID} METADATA * saslmechlist :PLAIN,EXTERNAL`)
  send(`:${SID} ENDBURST`)
  await linked
  return {
    attempts,
    introduce: (nicks, channel) => {
      for (const [index, nick] of nicks.entries()) {
        const uid = `${SID}${String.fromCharCode(66 + (index % 24))}${String(index).padStart(5, 'A')}`
        send(`:${SID} UID ${uid} ${seconds} ${nick} host host ${nick} 127.0.0.1 ${seconds} + :far away`)
        send(`:${SID} FJOIN ${channel} ${seconds} + :,${uid}:${index + 1}`)
      }
    },
    [Symbol.asyncDispose]: async () => {
      socket.destroy()
      await once(socket, 'close')
    },
  }
}
