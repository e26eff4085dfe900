import { generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto'
import { isIP } from 'node:net'

/** A certificate and its private key, both PEM. */
export interface KeyAndCertificate {
  readonly key: string
  readonly certificate: string
}

/** A certificate authority of a test's own. */
export interface TestAuthority {
  /** PEM: what clients have to trust. */
  readonly certificate: string
  /** A certificate for these host names and IP addresses. */
  issue(...names: readonly [string, ...string[]]): KeyAndCertificate
}

function der(tag: number, ...parts: Buffer[]): Buffer {
  const body = Buffer.concat(parts)
  if (body.length < 128) return Buffer.concat([Buffer.from([tag, body.length]), body])
  const size = Buffer.alloc(4)
  size.writeUInt32BE(body.length)
  const length = size.subarray(size.findIndex((byte) => byte !== 0))
  return Buffer.concat([Buffer.from([tag, 0x80 | length.length]), length, body])
}

const sequence = (...parts: Buffer[]): Buffer => der(0x30, ...parts)
const objectId = (hex: string): Buffer => der(0x06, Buffer.from(hex, 'hex'))
const bitString = (bytes: Buffer): Buffer => der(0x03, Buffer.from([0]), bytes)

const ECDSA_WITH_SHA256 = sequence(objectId('2a8648ce3d040302'))
const COMMON_NAME = '550403'
const SUBJECT_ALT_NAME = '551d11'
const BASIC_CONSTRAINTS = '551d13'

function nameOf(commonName: string): Buffer {
  return sequence(der(0x31, sequence(objectId(COMMON_NAME), der(0x0c, Buffer.from(commonName)))))
}

function addressBytes(address: string): Buffer {
  if (isIP(address) === 4) return Buffer.from(address.split('.').map(Number))
  const [head = '', tail = ''] = address.split('::')
  const groups = (part: string): number[] =>
    part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16))
  const [left, right] = [groups(head), groups(tail)]
  const all = [...left, ...Array.from({ length: 8 - left.length - right.length }, () => 0), ...right]
  return Buffer.from(all.flatMap((group) => [group >> 8, group & 255]))
}

const altName = (name: string): Buffer =>
  isIP(name) === 0 ? der(0x82, Buffer.from(name)) : der(0x87, addressBytes(name))

function extensions(names: readonly string[], isAuthority: boolean): Buffer {
  const critical = der(0x01, Buffer.from([0xff]))
  const constraints = isAuthority ? sequence(critical) : sequence()
  const alternatives = sequence(...names.map(altName))
  return der(
    0xa3,
    sequence(
      ...(names.length === 0 ? [] : [sequence(objectId(SUBJECT_ALT_NAME), der(0x04, alternatives))]),
      sequence(objectId(BASIC_CONSTRAINTS), critical, der(0x04, constraints)),
    ),
  )
}

function pem(label: string, bytes: Buffer): string {
  const lines = bytes.toString('base64').match(/.{1,64}/g) ?? []
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`
}

interface Issuer {
  readonly name: string
  readonly key: KeyObject
}

interface Subject {
  readonly commonName: string
  readonly names: readonly string[]
  readonly isAuthority: boolean
}

const makeKeys = (): { publicKey: KeyObject; privateKey: KeyObject } =>
  generateKeyPairSync('ec', { namedCurve: 'P-256' })

/** A P-256 certificate, valid 2020–2049. RFC 5280 §4.1. */
function buildCertificate(subject: Subject, publicKey: KeyObject, issuer: Issuer): string {
  const serial = randomBytes(8)
  serial[0] = (serial[0] ?? 0) & 0x7f || 1
  const body = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, serial),
    ECDSA_WITH_SHA256,
    nameOf(issuer.name),
    sequence(der(0x17, Buffer.from('200101000000Z')), der(0x17, Buffer.from('491231235959Z'))),
    nameOf(subject.commonName),
    publicKey.export({ type: 'spki', format: 'der' }),
    extensions(subject.names, subject.isAuthority),
  )
  const signature = sign('sha256', body, issuer.key)
  return pem('CERTIFICATE', sequence(body, ECDSA_WITH_SHA256, bitString(signature)))
}

const keyPem = (key: KeyObject): string => key.export({ type: 'pkcs8', format: 'pem' }).toString()

/** A fresh self-signed certificate for `commonName`, localhost and 127.0.0.1. */
export function makeSelfSigned(commonName: string): KeyAndCertificate {
  const { publicKey, privateKey } = makeKeys()
  const subject = { commonName, names: ['localhost', commonName, '127.0.0.1'], isAuthority: true }
  return {
    key: keyPem(privateKey),
    certificate: buildCertificate(subject, publicKey, { name: commonName, key: privateKey }),
  }
}

/** A fresh certificate authority: for TLS tests that need no tool beside Node. */
export function makeAuthority(): TestAuthority {
  const name = 'Causeway test authority'
  const { publicKey, privateKey } = makeKeys()
  const issuer = { name, key: privateKey }
  return {
    certificate: buildCertificate({ commonName: name, names: [], isAuthority: true }, publicKey, issuer),
    issue: (...names) => {
      const own = makeKeys()
      const subject = { commonName: names[0], names, isAuthority: false }
      return { key: keyPem(own.privateKey), certificate: buildCertificate(subject, own.publicKey, issuer) }
    },
  }
}
