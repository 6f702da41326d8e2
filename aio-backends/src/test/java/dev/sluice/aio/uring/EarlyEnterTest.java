package dev.sluice.aio.uring;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.aio.netty.ChannelLoop;
import dev.sluice.pipeline.BackendOptions;
import dev.sluice.pipeline.BlockOp;
import dev.sluice.pipeline.testing.Patience;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelInboundHandlerAdapter;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A ring that is entered before the tick has ended, with a file on a disk: O_DIRECT, so that the data of a read shows as soon as the disk has moved it. */
@Timeout(120)
class EarlyEnterTest {
    private static final int BLOCK = 4096;
    private static final int BLOCKS = 64;
    /** As many as go at once if the kernel has nothing. */
    private static final int FIRST = 4;

    private static final int TRIES = 100;

    private final byte[] content = new byte[BLOCKS * BLOCK];
    private Path image = Path.of("unset");

    @BeforeEach
    void createImage() throws IOException {
        image = Files.createTempFile(Path.of("target"), "sluice-early", ".raw");
        new SplittableRandom(7).nextBytes(content);
        Files.write(image, content);
    }

    @AfterEach
    void deleteImage() throws IOException {
        Files.deleteIfExists(image);
    }

    private SinkFixture fixture() throws IOException {
        return new SinkFixture(BackendOptions.of(image).withDirect(true));
    }

    private static TestRequest[] reads(SinkFixture fixture, int many) {
        TestRequest[] made = new TestRequest[many];
        Arrays.setAll(made, i -> fixture.make(0, BLOCK).as(BlockOp.READ, (long) i * BLOCK));
        return made;
    }

    private boolean moved(TestRequest read, int block) {
        return Arrays.equals(read.bytes(), Arrays.copyOfRange(content, block * BLOCK, (block + 1) * BLOCK));
    }

    /** On the loop, in the middle of a tick. */
    private void awaitMoved(TestRequest... reads) {
        long last = System.nanoTime() + TimeUnit.SECONDS.toNanos(Patience.seconds(30));
        for (int i = 0; i < reads.length; i++) {
            while (!moved(reads[i], i)) {
                assertThat(System.nanoTime() - last).as("the kernel was not given read %s", i).isNegative();
                Thread.onSpinWait();
            }
        }
    }

    private static void awaitAll(TestRequest... reads) {
        for (TestRequest read : reads) {
            assertThat(SinkFixture.await(read.answered)).isEqualTo(BLOCK);
            assertThat(read.answers).hasValue(1);
            read.close();
        }
    }

    @Test
    void shouldGiveTheKernelTheFirstFewWhileTheTickGoesOn() throws IOException {
        try (SinkFixture fixture = fixture()) {
            TestRequest[] reads = reads(fixture, FIRST);
            boolean _ = fixture.onLoop(() -> {
                Stream.of(reads).forEach(read -> assertThat(fixture.sink.submit(read)).isTrue());
                awaitMoved(reads);
                assertThat(Stream.of(reads)).as("completions wait for the next tick").noneMatch(read -> read.answered.isDone());
                fixture.sink.flush();
                return true;
            });
            awaitAll(reads);
        }
    }

    @Test
    void shouldCompleteWhatAnEarlyEnterHasFetchedWithoutAnotherWakeUp() throws IOException {
        try (SinkFixture fixture = fixture()) {
            TestRequest[] reads = reads(fixture, FIRST);
            fixture.loop.execute(() -> {
                Stream.of(reads).forEach(read -> assertThat(fixture.sink.submit(read)).isTrue());
                awaitMoved(reads);
                // Fetches what has ended, so that the kernel has nothing left to wake the loop up with.
                for (int i = 0; i < TRIES; i++) {
                    fixture.loop.submitNow();
                }
            });
            awaitAll(reads);
        }
    }

    @Test
    void shouldNotEnterWhileItActsOnCompletions() throws IOException {
        try (SinkFixture fixture = fixture();
                TestRequest read = fixture.make(0, BLOCK).as(BlockOp.READ, 0)) {
            var _ = read.answered.thenRun(() -> {
                for (int i = 0; i < TRIES; i++) {
                    fixture.loop.submitNow();
                }
            });
            assertThat(entersDuring(fixture, () -> fixture.run(read))).isLessThan(TRIES / 2);
        }
    }

    @Test
    void shouldLeaveTheKernelToTheEndOfTheTickWhereChannelsActOnTheirEventsAtOnce() throws Exception {
        try (SinkFixture fixture = fixture()) {
            ChannelLoop channels = ChannelLoop.of(fixture.loop);
            Channel server = new ServerBootstrap()
                    .group(channels.eventLoop())
                    .channelFactory(() -> channels.newServerChannel(new InetSocketAddress(0)))
                    .childHandler(new ChannelInboundHandlerAdapter())
                    .bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
                    .sync()
                    .channel();
            Runnable tries = () -> {
                for (int i = 0; i < TRIES; i++) {
                    fixture.loop.submitNow();
                }
            };
            assertThat(entersDuring(fixture, () -> onLoop(fixture, tries))).as("with a channel").isLessThan(TRIES / 2);
            TestRequest[] reads = reads(fixture, FIRST);
            fixture.submit(reads);
            awaitAll(reads);
            server.close().sync();
            assertThat(entersDuring(fixture, () -> onLoop(fixture, tries))).as("without").isGreaterThanOrEqualTo(TRIES);
        }
    }

    private static void onLoop(SinkFixture fixture, Runnable task) {
        boolean _ = fixture.onLoop(() -> {
            task.run();
            return true;
        });
    }

    /** Of the loop, with those of the ticks that it takes to look. */
    private static long entersDuring(SinkFixture fixture, Runnable work) {
        long before = publishedEnters(fixture);
        work.run();
        return publishedEnters(fixture) - before;
    }

    private static long publishedEnters(SinkFixture fixture) {
        // Counters are published when a tick ends.
        onLoop(fixture, () -> {});
        onLoop(fixture, () -> {});
        return fixture.loop.counters().enters();
    }
}
