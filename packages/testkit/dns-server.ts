import { createSocket, type RemoteInfo } from 'node:dgram'
import { once } from 'node:events'
import { isIP } from 'node:net'

/** What is told of one name. */
export interface DnsRecords {
  /** IPv4 and IPv6 addresses. */
  readonly addresses?: readonly string[]
  readonly srv?: readonly {
    readonly target: string
    readonly port: number
    readonly priority?: number
    readonly weight?: number
  }[]
  /** Answers that the server failed. */
  readonly fails?: boolean
}

/** A name server on loopback, over UDP. */
export interface DnsServer extends AsyncDisposable {
  /** `127.0.0.1:port`, as resolvers take it. */
  readonly address: string
  /** By lowercased name; names that are not here do not exist. */
  readonly names: Map<string, DnsRecords>
  /** `TYPE name` of every question, in order. */
  readonly asked: string[]
}

const TYPES: ReadonlyMap<number, string> = new Map([
  [1, 'A'],
  [28, 'AAAA'],
  [33, 'SRV'],
])

function readName(message: Buffer, start: number): { name: string; end: number } {
  const labels: string[] = []
  let at = start
  for (let length = message[at]!; length !== 0; length = message[at]!) {
    labels.push(message.toString('latin1', at + 1, at + 1 + length))
    at += 1 + length
  }
  return { name: labels.join('.').toLowerCase(), end: at + 1 }
}

function encodeName(name: string): Buffer {
  const labels = name.split('.').filter((label) => label !== '')
  const parts = labels.map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)]))
  return Buffer.concat([...parts, Buffer.from([0])])
}

function encodeV6(address: string): Buffer {
  const [head = '', tail = ''] = address.split('::')
  const groups = (text: string): number[] =>
    text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16))
  const [left, right] = [groups(head), groups(tail)]
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => 0)
  return Buffer.from([...left, ...zeros, ...right].flatMap((group) => [group >> 8, group & 255]))
}

function dataOf(type: string, { addresses = [], srv = [] }: DnsRecords): Buffer[] {
  if (type === 'A') {
    return addresses.filter((one) => isIP(one) === 4).map((one) => Buffer.from(one.split('.').map(Number)))
  }
  if (type === 'AAAA') return addresses.filter((one) => isIP(one) === 6).map(encodeV6)
  if (type !== 'SRV') return []
  return srv.map(({ target, port, priority = 0, weight = 0 }) => {
    const numbers = Buffer.alloc(6)
    numbers.writeUInt16BE(priority, 0)
    numbers.writeUInt16BE(weight, 2)
    numbers.writeUInt16BE(port, 4)
    return Buffer.concat([numbers, encodeName(target)])
  })
}

function buildAnswer(query: Buffer, question: Buffer, type: number, records: DnsRecords | undefined): Buffer {
  const data = records === undefined ? [] : dataOf(TYPES.get(type) ?? '', records)
  const head = Buffer.alloc(12)
  query.copy(head, 0, 0, 2)
  const code = records === undefined ? 3 : records.fails === true ? 2 : 0
  head.writeUInt16BE(0x8580 | code, 2)
  head.writeUInt16BE(1, 4)
  head.writeUInt16BE(data.length, 6)
  const answers = data.map((bytes) => {
    const fixed = Buffer.alloc(12)
    // The name is that of the question.
    fixed.writeUInt16BE(0xc00c, 0)
    fixed.writeUInt16BE(type, 2)
    fixed.writeUInt16BE(1, 4)
    fixed.writeUInt32BE(60, 6)
    fixed.writeUInt16BE(bytes.length, 10)
    return Buffer.concat([fixed, bytes])
  })
  return Buffer.concat([head, question, ...answers])
}

/** Starts a name server that knows nothing yet. */
export async function startDnsServer(): Promise<DnsServer> {
  const names = new Map<string, DnsRecords>()
  const asked: string[] = []
  const socket = createSocket('udp4')
  socket.on('message', (query: Buffer, from: RemoteInfo) => {
    const { name, end } = readName(query, 12)
    const type = query.readUInt16BE(end)
    asked.push(`${TYPES.get(type) ?? type} ${name}`)
    const answer = buildAnswer(query, query.subarray(12, end + 4), type, names.get(name))
    socket.send(answer, from.port, from.address)
  })
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  return {
    address: `127.0.0.1:${socket.address().port}`,
    names,
    asked,
    [Symbol.asyncDispose]: async () => {
      socket.close()
      await once(socket, 'close')
    },
  }
}
