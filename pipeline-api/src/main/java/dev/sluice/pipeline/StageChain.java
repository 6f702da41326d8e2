package dev.sluice.pipeline;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.StringJoiner;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Mono;

/** The stages of a pipeline in their order. Shared by all its queues; immutable once each place has its stage. */
final class StageChain {
    private final @Nullable BlockStage[] stages;
    private final String[] names;

    /** For each stage a bit for each operation that it may want to see. */
    private final int[] operations;

    StageChain(int count) {
        this.stages = new BlockStage[count];
        this.names = new String[count];
        this.operations = new int[count];
        for (int i = 0; i < count; i++) {
            names[i] = "stage " + i;
        }
    }

    /** From the last to the first, before any queue is connected. */
    void put(int index, BlockStage stage) {
        names[index] = stage.name();
        for (BlockOp op : stage.operations()) {
            operations[index] |= bit(op);
        }
        stages[index] = stage;
    }

    boolean isPresent(int index) {
        return stages[index] != null;
    }

    BlockStage stage(int index) {
        return Objects.requireNonNull(stages[index]);
    }

    /** The name of a stage, or of its place as long as there is none. */
    String name(int index) {
        return names[index];
    }

    @SuppressWarnings("EnumOrdinal") // bits that live and die with this object
    private static int bit(BlockOp op) {
        return 1 << op.ordinal();
    }

    /** Index of the first stage from {@code from} on that wants to see the request, or -1. Allocates nothing. */
    int firstInterested(BlockRequest request, int from) {
        int op = bit(request.op());
        for (int i = from; i < stages.length; i++) {
            if ((operations[i] & op) != 0 && stage(i).interestedIn(request)) {
                return i;
            }
        }
        return -1;
    }

    /** Calls a stage with the rest of the chain behind it; the end of that is the call's. What the stages behind throw is an error signal of it. */
    Mono<BlockResult> handle(int stage, BlockRequest request, StageCall call) {
        call.enter(names[stage]);
        return stage(stage).handle(request, new RestOfChain(this, stage, call));
    }

    /** Which operations go past the stages, and why. */
    String describeBypass() {
        if (stages.length == 0) {
            return "every request bypasses: there are no stages";
        }
        StringJoiner never = new StringJoiner(", ");
        Map<String, StringJoiner> asked = new LinkedHashMap<>();
        for (BlockOp op : BlockOp.values()) {
            String names = namesOfThoseThatSee(op);
            if (names.isEmpty()) {
                never.add(op.name());
            } else {
                asked.computeIfAbsent(names, key -> new StringJoiner(", ")).add(op.name());
            }
        }
        StringJoiner all = new StringJoiner("; ");
        if (never.length() > 0) {
            all.add(never + " bypass: no stage sees them");
        }
        asked.forEach((names, ops) -> all.add(ops + " bypass where " + names + (names.contains(",") ? " are" : " is") + " not interested"));
        return all.toString();
    }

    private String namesOfThoseThatSee(BlockOp op) {
        StringJoiner names = new StringJoiner(", ");
        for (int i = 0; i < stages.length; i++) {
            if ((operations[i] & bit(op)) != 0) {
                names.add(this.names[i]);
            }
        }
        return names.toString();
    }

    @Override
    public String toString() {
        return stages.length == 0 ? "no stages" : String.join(" -> ", names);
    }
}
