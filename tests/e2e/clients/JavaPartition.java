import org.apache.kafka.clients.producer.internals.BuiltInPartitioner;

/** Prints the partition that the Java producer chooses for each key: PARTITIONS KEY... */
public class JavaPartition {
  public static void main(String[] arguments) {
    int partitions = Integer.parseInt(arguments[0]);
    for (int i = 1; i < arguments.length; i++) {
      System.out.println(
          BuiltInPartitioner.partitionForKey(arguments[i].getBytes(java.nio.charset.StandardCharsets.UTF_8), partitions));
    }
  }
}
