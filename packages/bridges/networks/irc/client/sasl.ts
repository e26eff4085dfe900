import type { SaslSettings } from './options.ts'

const CHUNK = 400

/**
 * The AUTHENTICATE parameters that answer the server's `+`: base64 in pieces of 400, with a closing `+` where the last
 * piece is full. https://ircv3.net/specs/extensions/sasl-3.1#the-authenticate-command
 */
export function buildSaslResponse(settings: SaslSettings): string[] {
  const plain =
    settings.mechanism === 'PLAIN'
      ? `${settings.account}\0${settings.account}\0${settings.password}`
      : (settings.account ?? '')
  const encoded = Buffer.from(plain).toString('base64')
  const chunks = encoded.match(new RegExp(`.{1,${CHUNK}}`, 'g')) ?? []
  return encoded.length % CHUNK === 0 ? [...chunks, '+'] : [...chunks]
}
