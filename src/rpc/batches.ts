/** Most items of one message of a list stream; far below the message limit at any size of item kubelet makes. */
const batchSize = 100;

/**
 * A list cut into the messages of a stream; nothing gives no message.
 * @param size items of a message, fewer than usual for large ones
 */
export function* batches<Item>(items: readonly Item[], size = batchSize): Generator<Item[]> {
  for (let start = 0; start < items.length; start += size) yield items.slice(start, start + size);
}
