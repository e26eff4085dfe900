import { generateKeyPairSync, randomBytes, sign } from 'node:crypto'

/** A certificate and its private key, both PEM. */
export interface KeyAndCertificate {
  readonly key: string
  readonly certificate: string
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

function extensions(commonName: string): Buffer {
  const dnsName = (name: string): Buffer => der(0x82, Buffer.from(name))
  const loopback = der(0x87, Buffer.from([127, 0, 0, 1]))
  const names = sequence(dnsName('localhost'), dnsName(commonName), loopback)
  const isCa = sequence(der(0x01, Buffer.from([0xff])))
  return der(
    0xa3,
    sequence(
      sequence(objectId(SUBJECT_ALT_NAME), der(0x04, names)),
      sequence(objectId(BASIC_CONSTRAINTS), der(0x01, Buffer.from([0xff])), der(0x04, isCa)),
    ),
  )
}

function pem(label: string, bytes: Buffer): string {
  const lines = bytes.toString('base64').match(/.{1,64}/g) ?? []
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`
}

/**
 * A fresh self-signed P-256 certificate for `commonName`, localhost and 127.0.0.1, valid 2020–2049: for TLS tests
 * that need no tool beside Node. RFC 5280 §4.1.
 */
export function makeSelfSigned(commonName: string): KeyAndCertificate {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const serial = randomBytes(8)
  serial[0] = (serial[0] ?? 0) & 0x7f || 1
  const body = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, serial),
    ECDSA_WITH_SHA256,
    nameOf(commonName),
    sequence(der(0x17, Buffer.from('200101000000Z')), der(0x17, Buffer.from('491231235959Z'))),
    nameOf(commonName),
    publicKey.export({ type: 'spki', format: 'der' }),
    extensions(commonName),
  )
  const signature = sign('sha256', body, privateKey)
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    certificate: pem('CERTIFICATE', sequence(body, ECDSA_WITH_SHA256, bitString(signature))),
  }
}
